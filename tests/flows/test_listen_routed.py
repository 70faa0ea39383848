"""Rules for what a listener hears."""

from __future__ import annotations

import pytest

from flows.listen_commit import Message, Taken
from flows.listen_routed import RoutedCommitter
from schemas.errors import StorageError, UsageError
from schemas.routes import MessageDecoder, Routes, Rule
from tests.flows.listening import MemoryCommitter, Sender, listening, message, now

ROUTES = Routes(
    (
        Rule((("MSH-3", ("LAB",)),), "lab"),
        Rule((("MSH-3", ("TEST",)),), decoder=MessageDecoder.REJECT),
        Rule((("MSH-3", ("PAS",)),), decoder=MessageDecoder.KEEP),
    ),
    "feed",
)


def _sent(control_id: str, application: str) -> Message:
    data = message(control_id, sender=f"{application}|HOSP")
    return Message(data, (application, "HOSP", control_id), data[:32], now())


def test_each_by_its_source() -> None:
    """Outcomes stand in the order of the messages; what is rejected goes nowhere, what no rule takes is counted."""
    feed, lab = MemoryCommitter(), MemoryCommitter()
    routed = RoutedCommitter(ROUTES, {"feed": feed, "lab": lab})
    batch = [_sent(str(n), name) for n, name in enumerate(("PAS", "LAB", "TEST", "NEW", "LAB"))]
    taken = [outcome.taken for outcome in routed.commit(batch)]
    assert taken == [Taken.APPLIED, Taken.APPLIED, Taken.REJECTED, Taken.APPLIED, Taken.APPLIED]
    assert [one.key[0] for one in feed.kept] == ["PAS", "NEW"]
    assert [one.key[2] for one in lab.kept] == ["1", "4"]
    routed.commit(batch)
    assert routed.unrouted == 1  # the second time it is a duplicate


def test_one_source_fails() -> None:
    """None of the batch is acknowledged; what was committed is a duplicate when it comes again."""
    feed, lab = MemoryCommitter(), MemoryCommitter()
    routed = RoutedCommitter(ROUTES, {"feed": feed, "lab": lab})
    lab.fails = StorageError("full")
    batch = [_sent("1", "PAS"), _sent("2", "LAB")]
    with pytest.raises(StorageError):
        routed.commit(batch)
    lab.fails = None
    assert [outcome.taken for outcome in routed.commit(batch)] == [Taken.DUPLICATE, Taken.APPLIED]


def test_other_sources() -> None:
    """A listener that writes one source says so before it listens."""
    RoutedCommitter.must_fit(ROUTES, ("feed", "lab"))
    with pytest.raises(UsageError, match="names the source 'lab', and a listener writes one, 'feed'"):
        RoutedCommitter.must_fit(ROUTES, ("feed",))


def test_answers() -> None:
    """A rejected message is AR with condition 200, and its sender's next one is taken."""
    routed = RoutedCommitter(ROUTES, {"feed": (feed := MemoryCommitter()), "lab": MemoryCommitter()})
    with listening(routed) as listener, Sender(listener.port) as sender:
        sender.send(message("1", sender="TEST|HOSP"), message("2", sender="PAS|HOSP"))
        answer = sender.answer()
        assert (answer[1][1], answer[1][2]) == ("AR", "1")
        assert answer[2][3].startswith("200")
        assert sender.msa() == ("AA", "2")
    assert [one.key[2] for one in feed.kept] == ["2"]
    assert listener.report.not_taken == {"rejected": 1}
