"""Senders that mean no good, or are broken: bounded memory, and all others are served."""

from __future__ import annotations

import socket
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from sources.mllp.framer import framed
from tests.flows.listening import PATIENCE, MemoryCommitter, Sender, listening, message

MB = 1_000_000


@contextmanager
def at_most(limit: int) -> Iterator[None]:
    """Fails when the process, with the senders in it, takes more bytes than that at once."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


def is_served(port: int, name: str) -> None:
    """A well behaved sender gets its answer."""
    with Sender(port) as sender:
        sender.send(message(name))
        assert sender.msa() == ("AA", name)


@pytest.mark.parametrize("begin", [b"\x0bMSH|^~\\&|", b""])
def test_a_hundred_megabytes_without_a_terminator(begin: bytes) -> None:
    """Held up to the limit of a frame only; the connection goes on with the next frame."""
    piece = b"x" * MB
    with (
        at_most(12 * MB),
        listening(committer := MemoryCommitter(), frame_bytes=2 * MB) as running,
        Sender(running.port) as sender,
    ):
        sender.raw(begin)
        for _ in range(100):
            sender.raw(piece)
        is_served(running.port, "other")
        sender.raw(framed(message("next")))
        assert sender.msa() == ("AA", "next")
    assert len(committer.kept) == 2
    assert running.report.bytes > 100 * MB


def test_many_that_hold_much() -> None:
    """All incomplete frames together are bounded: the one that began first is given up."""
    with (
        at_most(25 * MB),
        listening(MemoryCommitter(), frame_bytes=4 * MB, held_bytes=8 * MB) as running,
        ExitStack() as stack,
    ):
        senders = [stack.enter_context(Sender(running.port)) for _ in range(20)]
        for sender in senders:
            try:
                sender.raw(b"\x0b" + b"x" * 3 * MB)
            except ConnectionError:
                continue
        is_served(running.port, "1")
        assert senders[0].is_closed()
    assert running.report.ended["memory"] >= 17


def test_two_thousand_half_open_connections() -> None:
    """No more places than there are; they are given to senders that come later and send."""
    with at_most(40 * MB), listening(MemoryCommitter(), connections=300) as running, ExitStack() as stack:
        for _ in range(2000):
            stack.enter_context(socket.create_connection(("127.0.0.1", running.port), PATIENCE))
        is_served(running.port, "1")
    assert running.report.accepted == 2001
    assert running.report.ended["silent"] >= 1701


def test_a_sender_that_was_heard_keeps_its_place() -> None:
    """Connections that never sent a message go before one that did."""
    with listening(MemoryCommitter(), connections=10) as running, ExitStack() as stack, Sender(running.port) as sender:
        sender.send(message("1"))
        assert sender.msa() == ("AA", "1")
        for _ in range(100):
            stack.enter_context(socket.create_connection(("127.0.0.1", running.port), PATIENCE))
        is_served(running.port, "other")
        sender.send(message("2"))
        assert sender.msa() == ("AA", "2")


def test_places_of_senders_that_wait_are_not_given_away() -> None:
    """Who comes when all are being served is turned away."""
    committer = MemoryCommitter()
    committer.may_go_on.clear()
    with listening(committer, connections=1) as running, Sender(running.port) as sender:
        sender.send(message("1"))
        assert committer.at_work.wait(PATIENCE)
        with Sender(running.port) as other:
            assert other.is_closed()
        committer.may_go_on.set()
        assert sender.msa() == ("AA", "1")
    assert running.report.refused == 1


def test_slow_loris() -> None:
    """A frame that grows by a byte now and then is given up when its time is over, however busy its sender is."""
    with listening(MemoryCommitter(), frame_seconds=0.4) as running, Sender(running.port) as sender:
        sender.socket.settimeout(0.05)
        sender.raw(b"\x0b")
        with pytest.raises(ConnectionError):  # one byte after another, until the connection ends
            while True:
                sender.raw(b"M")
                try:
                    if not sender.socket.recv(1):
                        raise ConnectionError
                except TimeoutError:
                    continue
        is_served(running.port, "1")
    assert running.report.ended == {"frame": 1}
    assert running.report.faults == {"unfinished": 1}


def test_silence() -> None:
    """A connection on which nothing comes is closed; rubbish is not a message, and does not keep it open."""
    with (
        listening(MemoryCommitter(), idle_seconds=0.3) as running,
        Sender(running.port) as silent,
        Sender(running.port) as noisy,
    ):
        noisy.raw(b"x")
        assert silent.is_closed()
        assert noisy.is_closed()
    assert running.report.ended == {"idle": 2}


def test_a_sender_that_does_not_read_its_answers() -> None:
    """It is read no further, and closed when its time is over; its messages were taken in."""
    with at_most(30 * MB), listening(committer := MemoryCommitter(), frame_seconds=1.0, waiting=16) as running:
        with Sender(running.port) as deaf:
            deaf.socket.settimeout(PATIENCE)
            facility = "F" * 3000  # comes back in each answer
            with pytest.raises(OSError):  # reset, or a broken pipe
                for number in range(100_000):
                    deaf.send(message(str(number), sender=f"LAB|{facility}"))
        is_served(running.port, "other")
    assert running.report.ended == {"unread": 1}
    assert 1 < len(committer.kept) < 50_000


def test_tiny_frames_by_the_million() -> None:
    """What each takes besides its byte is bounded too."""
    with at_most(30 * MB), listening(MemoryCommitter(), waiting=50) as running, Sender(running.port) as sender:
        sender.raw(b"\x0b\x1c\r" * 50_000 + b"\x0b" * 100_000 + b"x\x1c\r" + framed(message("1")))
        assert [sender.msa() for _ in range(2)] == [("AR", ""), ("AA", "1")]
    assert running.report.faults == {"cut_short": 99_999}


def test_no_carriage_return_after_the_end() -> None:
    """A sender that leaves it out and waits is answered all the same."""
    with listening(MemoryCommitter()) as running, Sender(running.port) as sender:
        for name in ("1", "2"):
            sender.raw(framed(message(name))[:-1])
            assert sender.msa() == ("AA", name)


def test_a_frame_within_a_frame() -> None:
    """The first lost its end: it is not answered and not joined to the second."""
    with listening(committer := MemoryCommitter()) as running, Sender(running.port) as sender:
        sender.raw(b"\x0b" + message("1") + framed(message("2")))
        assert sender.msa() == ("AA", "2")
    assert [kept.data for kept in committer.kept] == [message("2")]
    assert running.report.faults == {"cut_short": 1}
