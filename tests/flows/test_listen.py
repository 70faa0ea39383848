"""Listening: who is answered what, and that nothing is acknowledged that is not durable."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections import deque

import hl7
import pytest
from hl7.client import MLLPClient, mllp_send

from flows.listen_commit import BatchLimits, GroupCommit, Message, Taken
from schemas.errors import LockedError, StorageError, TryAgainError, UsageError
from sources.mllp.framer import framed
from tests.flows.listening import CANARY, PATIENCE, MemoryCommitter, Sender, listening, message, now


def test_a_message_is_acknowledged_when_it_is_kept() -> None:
    """AA with the sender's control id; while the commit goes on there is no answer."""
    committer = MemoryCommitter()
    committer.may_go_on.clear()
    with listening(committer) as running, Sender(running.port) as sender:
        sender.send(message("one"))
        assert committer.at_work.wait(PATIENCE)
        sender.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            sender.answer()
        sender.socket.settimeout(PATIENCE)
        committer.may_go_on.set()
        assert sender.msa() == ("AA", "one")
    assert [kept.data for kept in committer.kept] == [message("one")]
    assert running.report.as_dict()["inputs"] == {
        "read": 1,
        "applied": 1,
        "superseded": 0,
        "duplicate": 0,
        "quarantined": 0,
        "suppressed": 0,
    }


def test_hl7s_client_talks_to_it() -> None:
    """With text, bytes and messages."""
    with listening(MemoryCommitter()) as running, MLLPClient("127.0.0.1", running.port) as client:
        for number, one in enumerate((message("0"), message("1").decode(), hl7.parse(message("2").decode()))):
            answer = client.send_message(one)
            assert answer.startswith(b"\x0b")
            assert answer.endswith(b"\x1c\r")
            parsed = hl7.parse(answer[1:-2].decode())
            assert (str(parsed["MSA.F1"]), str(parsed["MSA.F2"])) == ("AA", str(number))


def test_hl7s_command_talks_to_it(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """``mllp_send`` sends a file of frames."""
    file = tmp_path_factory.mktemp("sent") / "messages"
    file.write_bytes(framed(message("a")) + framed(message("b")))
    with listening(committer := MemoryCommitter()) as running:
        monkeypatch.setattr(sys, "argv", ["mllp_send", "--file", str(file), "--port", str(running.port), "127.0.0.1"])
        mllp_send()
    assert capfdbinary.readouterr().out.count(b"MSA|AA|") == 2
    assert [kept.key[2] for kept in committer.kept] == ["a", "b"]


def test_what_is_quarantined_is_ae_with_its_reason() -> None:
    """Kept, but with an error: ERR tells place and condition, and no value."""
    with listening(MemoryCommitter()) as running, Sender(running.port) as sender:
        sender.send(message("one", body="bad"))
        _, msa, err = sender.answer()
    assert msa == ["MSA", "AE", "one"]
    assert err[2:5] == ["PID^1^7", "102^Data type error^HL70357", "E"]
    assert running.report.inputs.quarantined == 1


NO_MESSAGES = {
    "no header": (b"PID|1", "100"),
    "shorter than a header": (b"MSH|^~\\", "100"),
    "two messages": (message("one") + message("two"), "100"),
    "no control id": (message(""), "101"),
    "too long": (message("one", body="x" * 2000), "104"),
    "end in the middle": (message("one", body="x\x1cy"), "102"),
    "no rule": (message("one", sender="NOBODY|"), "200"),
}


@pytest.mark.parametrize("case", NO_MESSAGES)
def test_what_cannot_be_read_or_routed_is_ar(case: str) -> None:
    """With its condition of table 0357; the next message is read as if nothing had been."""
    data, condition = NO_MESSAGES[case]
    with listening(committer := MemoryCommitter(), frame_bytes=1000) as running, Sender(running.port) as sender:
        sender.send(data, message("next"))
        segments = sender.answer()
        assert segments[1][1] == "AR"
        assert segments[2][3].split("^")[0] == condition
        assert sender.msa() == ("AA", "next")
    assert [kept.key[2] for kept in committer.kept] == ["next"]
    assert running.report.not_taken == {"rejected": 1}


def test_a_control_id_again() -> None:
    """The same message is acknowledged as before and counted; another one is an error; other senders have other ids."""
    with listening(committer := MemoryCommitter()) as running, Sender(running.port) as sender:
        for one in (message("1"), message("1"), message("1", body="other"), message("1", sender="LAB|ELSE")):
            sender.send(one)
        assert [sender.msa()[0] for _ in range(4)] == ["AA", "AA", "AE", "AA"]
        sender.send(message("2", body="bad"), message("2", body="bad"))
        assert [sender.msa()[0] for _ in range(2)] == ["AE", "AE"]
    assert len(committer.kept) == 3
    counts = running.report.inputs
    assert (counts.read, counts.applied, counts.duplicate, counts.quarantined) == (5, 2, 2, 1)
    assert counts.balanced()
    assert running.report.not_taken == {"conflict": 1}


def test_a_control_id_of_a_listener_before() -> None:
    """What is older than this listener the committer knows."""
    before = MemoryCommitter()
    with listening(before) as running, Sender(running.port) as sender:
        sender.send(message("1"), message("2", body="bad"))
        sender.msa(), sender.msa()
    with listening(MemoryCommitter(before.kept)) as running, Sender(running.port) as sender:
        sender.send(message("1"), message("2", body="bad"), message("1", body="other"))
        assert [sender.msa() for _ in range(3)] == [("AA", "1"), ("AE", "2"), ("AE", "1")]
    assert running.report.inputs.duplicate == 2
    assert len(before.kept) == 2


def test_a_control_id_again_while_the_first_is_on_its_way() -> None:
    """It waits for what becomes of the first, and is committed once."""
    committer = MemoryCommitter()
    committer.may_go_on.clear()
    with listening(committer) as running, Sender(running.port) as one, Sender(running.port) as two:
        one.send(message("1"))
        assert committer.at_work.wait(PATIENCE)
        two.send(message("1"), message("1", body="other"))
        committer.may_go_on.set()
        assert one.msa() == ("AA", "1")
        assert [two.msa()[0] for _ in range(2)] == ["AA", "AE"]
    assert sum(committer.batches) == 1


FAILURES = {
    "locked": (LockedError("the mart is open elsewhere"), "206"),
    "disk full": (StorageError("no space"), "207"),
    "later": (TryAgainError("later"), "207"),
    "a fault of ours": (RuntimeError(CANARY), "207"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_what_is_not_stored_is_never_acknowledged(case: str, caplog: pytest.LogCaptureFixture) -> None:
    """AR, after which a sender may send again (HL7 v2.9 2.9.2.2); it is taken when the store is there again."""
    error, condition = FAILURES[case]
    committer = MemoryCommitter()
    committer.fails = error  # type: ignore[assignment] # anything may be raised
    with listening(committer) as running, Sender(running.port) as sender, caplog.at_level(logging.DEBUG):
        sender.send(message("1"), message("1"))
        for _ in range(2):
            _, msa, err = sender.answer()
            assert (msa[1:3], err[3].split("^")[0]) == (["AR", "1"], condition)
        committer.fails = None
        sender.send(message("1"))
        assert sender.msa() == ("AA", "1")
    assert len(committer.kept) == 1
    assert running.report.not_taken == {"not_stored": 2}
    assert CANARY not in caplog.text


def test_enhanced_mode() -> None:
    """A commit acknowledgment and then an application one, both with the sender's id."""
    with listening(MemoryCommitter()) as running, Sender(running.port) as sender:
        sender.send(message("1", more="|||AL|AL"), message("2", more="|||NE|NE"), message("3", more="|||AL|NE"))
        assert [sender.msa() for _ in range(3)] == [("CA", "1"), ("AA", "1"), ("CA", "3")]


def test_an_acknowledgment_is_not_acknowledged() -> None:
    """Else two systems would thank each other for ever."""
    ack = b"MSH|^~\\&|A|B|C|D|2026||ACK^R01|9|P|2.5\rMSA|AA|1\r"
    with listening(committer := MemoryCommitter()) as running, Sender(running.port) as sender:
        sender.send(ack, message("1"))
        assert sender.msa() == ("AA", "1")
    assert (len(committer.kept), running.report.acknowledgments) == (1, 1)


def test_answers_come_in_the_order_of_their_messages() -> None:
    """Also where a later one is decided at once."""
    with listening(MemoryCommitter()) as running, Sender(running.port) as sender:
        sent = [message(str(n)) if n % 3 else b"MSH|^~\\&|no id" for n in range(300)]
        sender.send(*sent)
        assert [sender.msa()[1] for _ in range(300)] == [str(n) if n % 3 else "" for n in range(300)]


def test_what_comes_during_a_commit_is_committed_together() -> None:
    """Group commit: one transaction for all that gathered, up to a batch's limits."""
    committer = MemoryCommitter()
    committer.may_go_on.clear()
    with listening(committer, batch=BatchLimits(messages=40)) as running, Sender(running.port) as sender:
        sender.send(message("first"))
        assert committer.at_work.wait(PATIENCE)
        sender.send(*(message(str(n)) for n in range(100)))
        with Sender(running.port) as other:  # its answer shows that all of the above was read
            other.send(b"MSH")
            other.answer()
        committer.may_go_on.set()
        assert [sender.msa()[0] for _ in range(101)] == ["AA"] * 101
    assert committer.batches == [1, 40, 40, 20]
    assert running.report.batches == 4


def test_a_batch_ends_at_its_bytes() -> None:
    """A message longer than that is a batch of its own."""
    committer = MemoryCommitter()
    committer.may_go_on.clear()
    size = len(message("0")) * 2
    with listening(committer, batch=BatchLimits(bytes=size)) as running, Sender(running.port) as sender:
        sender.send(message("x"), *(message(str(n), body="y" * 500 * (n == 2)) for n in range(5)))
        assert committer.at_work.wait(PATIENCE)
        committer.may_go_on.set()
        assert [sender.msa()[0] for _ in range(6)] == ["AA"] * 6
    assert committer.batches == [2, 1, 1, 2]


def test_a_batch_does_not_wait_for_more_than_came_lately(monkeypatch: pytest.MonkeyPatch) -> None:
    """Senders that wait for their answers send no more, so to wait for others would be in vain."""

    async def alone() -> Taken:
        group = GroupCommit(MemoryCommitter().commit, BatchLimits(seconds=PATIENCE))
        monkeypatch.setattr(group, "_lately", deque([1]))
        one = Message(b"MSH", ("LAB", "HOSP", "1"), b"", now())
        outcome = await asyncio.wait_for(group.submit(one), PATIENCE / 2)
        await group.close()
        return outcome.taken

    assert asyncio.run(alone()) is Taken.APPLIED


def test_asked_to_stop_it_answers_what_was_read_whole() -> None:
    """What is on its way is committed and acknowledged; what is not whole, and what comes later, is not."""
    committer = MemoryCommitter()
    committer.may_go_on.clear()
    with listening(committer) as running, Sender(running.port) as sender:
        sender.send(message("1"), message("2"))
        sender.raw(framed(message("3"))[:-2])
        assert committer.at_work.wait(PATIENCE)
        with Sender(running.port) as other:
            other.send(b"MSH")
            other.answer()
        running.drain.ask()
        with pytest.raises(OSError):  # refused, or reset: the port is closed
            while True:
                Sender(running.port).socket.close()
        committer.may_go_on.set()
        assert [sender.msa() for _ in range(2)] == [("AA", "1"), ("AA", "2")]
        assert sender.is_closed()
    assert [kept.key[2] for kept in committer.kept] == ["1", "2"]


def test_a_sender_that_leaves_without_its_answer() -> None:
    """Its message is in; when it comes again it is a duplicate."""
    committer = MemoryCommitter()
    committer.may_go_on.clear()
    with listening(committer) as running:
        with Sender(running.port) as sender:
            sender.send(message("1"))
            assert committer.at_work.wait(PATIENCE)
        committer.may_go_on.set()
        with Sender(running.port) as sender:
            sender.send(message("1"))
            assert sender.msa() == ("AA", "1")
    assert (len(committer.kept), running.report.inputs.duplicate) == (1, 1)


def test_a_sender_that_closes_its_side_first() -> None:
    """It still gets its answer, and then the connection ends."""
    with listening(MemoryCommitter()) as running, Sender(running.port) as sender:
        sender.raw(framed(message("1"))[:-1])  # without 0D, as such senders are
        sender.socket.shutdown(1)
        assert sender.msa() == ("AA", "1")
        assert sender.is_closed()


def test_a_port_that_is_taken_is_told() -> None:
    """In one line that a user can act on."""
    with listening(MemoryCommitter()) as running:
        from flows.drain import Drain
        from flows.listen import Address, ListenLimits, run_listen

        address = Address("127.0.0.1", running.port)
        with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1 port {running.port}: .*in use"):
            run_listen(address, "s", MemoryCommitter(), ListenLimits(), Drain(), lambda _: None)


def test_no_value_of_a_patient_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is wrong with a message."""
    with caplog.at_level(logging.DEBUG), listening(MemoryCommitter(), frame_bytes=1000) as running:
        with Sender(running.port) as sender:
            for data, _ in NO_MESSAGES.values():
                sender.send(data)
                sender.answer()
            sender.raw(b"\x0b" + message("cut") + b"\x0b" + CANARY.encode())
        with Sender(running.port) as sender:
            sender.raw(message("unframed"))
            sender.socket.shutdown(1)
            assert sender.is_closed()  # so all of it was read
    assert set(running.report.faults) == {"too_long", "end_inside", "cut_short", "unfinished", "outside"}
    assert "no message" in caplog.text
    assert CANARY not in caplog.text


def test_many_senders_at_once() -> None:
    """Each gets its own answers."""

    def send(port: int, name: str, got: list[tuple[str, str]]) -> None:
        with Sender(port) as sender:
            for n in range(20):
                sender.send(message(f"{name}-{n}"))
                got.append(sender.msa())

    with listening(committer := MemoryCommitter()) as running:
        answers: dict[str, list[tuple[str, str]]] = {f"s{n}": [] for n in range(8)}
        threads = [threading.Thread(target=send, args=(running.port, name, got)) for name, got in answers.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
    assert answers == {name: [("AA", f"{name}-{n}") for n in range(20)] for name in answers}
    assert len(committer.kept) == 160
