"""The framer: against a model that reads byte by byte, for any cutting; and what it holds when a sender never ends."""

from __future__ import annotations

import itertools
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.mllp.framer import HEAD_BYTES, Event, Fault, FaultReason, Frame, Framer, framed

LIMIT = 12
# Few letters, so that block characters meet in every way.
STREAM = st.lists(
    st.sampled_from([b"\x0b", b"\x1c", b"\x0d", b"\x0a", b"a", b"bc", b"\x0babc\x1c\x0d", b"\x0b" + b"x" * 13])
).map(b"".join)


def model(stream: bytes, limit: int) -> list[Event]:
    """The events of a whole stream, decided with all of it in sight."""
    events: list[Event] = []
    place = 0
    while place < len(stream):
        start = stream.find(b"\x0b", place)
        between = stream[place : start if start >= 0 else len(stream)].lstrip(b"\r\n")
        if between:
            events.append(Fault(FaultReason.OUTSIDE, between[:HEAD_BYTES], len(between)))
        if start < 0:
            break
        place = start + 1
        data, wrong, ended = bytearray(), None, False
        while True:
            byte, after = stream[place : place + 1], stream[place + 1 : place + 2]
            if byte in (b"", b"\x0b"):
                break
            place += 1
            if byte == b"\x1c" and after in (b"", b"\r", b"\n", b"\x0b"):
                place += after in (b"\r", b"\n")
                ended = True
                break
            data += byte
            if byte == b"\x1c":
                wrong = wrong or FaultReason.END_INSIDE
            elif len(data) > limit:
                wrong = wrong or FaultReason.TOO_LONG
        if not ended and wrong is None:
            wrong = FaultReason.UNFINISHED if place >= len(stream) else FaultReason.CUT_SHORT
        whole = bytes(data)
        events.append(Frame(whole) if wrong is None else Fault(wrong, whole[:HEAD_BYTES], len(whole), ended))
    return events


def events_of(stream: bytes, cuts: list[int], limit: int) -> list[Event]:
    """What the framer makes of a stream that comes in pieces."""
    framer, events = Framer(limit), list[Event]()
    places = [0, *sorted(cuts), len(stream)]
    for begin, end in itertools.pairwise(places):
        events += framer.feed(stream[begin:end])
    return events + framer.finish()


@given(stream=STREAM, data=st.data())
def test_any_cutting_gives_what_the_model_gives(stream: bytes, data: st.DataObject) -> None:
    """The pieces in which a stream arrives change nothing."""
    cuts = data.draw(st.lists(st.integers(0, len(stream))))
    assert events_of(stream, cuts, LIMIT) == model(stream, LIMIT)
    assert events_of(stream, list(range(len(stream))), LIMIT) == model(stream, LIMIT)


@given(messages=st.lists(st.binary(max_size=40).map(lambda b: b.translate(None, b"\x0b\x1c")), max_size=8))
def test_what_is_framed_comes_out(messages: list[bytes]) -> None:
    """Frames one after another, with line ends between them, give the messages and no fault."""
    stream = b"\r\n".join(framed(message) for message in messages)
    assert events_of(stream, [], 40) == [Frame(message) for message in messages]


def test_a_frame_cut_short_is_not_joined_to_the_next() -> None:
    """The first is a fault, the second is whole."""
    events = events_of(b"\x0bMSH|first\x0bMSH|second\x1c\r", [], 100)
    assert events == [Fault(FaultReason.CUT_SHORT, b"MSH|first", 9), Frame(b"MSH|second")]


def test_the_end_without_carriage_return() -> None:
    """The next frame, a line feed or silence show that the data was whole; more data shows that it was not."""
    framer = Framer(100)
    assert framer.feed(b"\x0bone\x1c") == []
    assert framer.maybe_ended
    assert framer.feed(b"\x0btwo\x1c\n\x0bthree\x1c") == [Frame(b"one"), Frame(b"two")]
    assert framer.settle() == [Frame(b"three")]
    assert not framer.in_frame
    assert framer.feed(b"\r\x0bfo\x1cur\x1c\r") == [Fault(FaultReason.END_INSIDE, b"fo\x1cur", 5, ended=True)]


def test_settling_in_the_middle_changes_nothing() -> None:
    """Silence within a frame is no end."""
    framer = Framer(100)
    framer.feed(b"\x0bone")
    assert framer.settle() == []
    assert framer.feed(b" more\x1c\r") == [Frame(b"one more")]


@pytest.mark.parametrize("begin", [b"\x0b", b"", b"\x0bx\x1cy"])
def test_a_hundred_megabytes_without_an_end(begin: bytes) -> None:
    """What is held does not grow with what comes, in a frame or outside; then the next is read."""
    framer, piece, limit = Framer(1_000_000), b"x" * 65_536, 1_000_000
    tracemalloc.start()
    try:
        events = framer.feed(begin)
        for _ in range(1600):
            events += framer.feed(piece)
        assert tracemalloc.get_traced_memory()[1] < 4 * limit
    finally:
        tracemalloc.stop()
    assert (events, framer.held) == ([], HEAD_BYTES)
    fault, frame = framer.feed(b"\x0bnext\x1c\r")
    assert isinstance(fault, Fault)
    assert fault.length >= 1600 * 65_536
    assert frame == Frame(b"next")


def test_a_frame_of_the_greatest_length() -> None:
    """The limit is on the data; one byte more is a fault that can be answered."""
    assert Framer(3).feed(framed(b"abc")) == [Frame(b"abc")]
    assert Framer(3).feed(framed(b"abcd")) == [Fault(FaultReason.TOO_LONG, b"abcd", 4, ended=True)]
