"""Rules for what a listener hears."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.listen_commit import Message, Taken
from flows.listen_mart import open_committers
from flows.listen_report import ListenReport
from flows.listen_routed import RoutedCommitter
from flows.settings import LoadSettings
from schemas.errors import StorageError
from schemas.routes import MessageDecoder, Routes, Rule
from tests.flows.inputs import query
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


def test_sources_of_a_mart(tmp_path: Path, staging_in_a_thread: None) -> None:
    """Each source has messages, numbers and rows of its own, side by side; the next listener goes on with both."""
    settings, report = LoadSettings(tmp_path / "m", "feed", routes=ROUTES), ListenReport("feed")
    for name in ("1", "2"):
        with open_committers(settings, check_all=False, rows_after=0.0, finish_within=60.0, report=report) as own:
            assert list(own) == ["feed", "lab"]
            with listening(RoutedCommitter(ROUTES, own)) as running, Sender(running.port) as sender:
                for application in ("LAB", "NEW", "TEST", "LAB"):
                    sender.send(message(f"{name}{application}", sender=f"{application}|HOSP"))
                assert [sender.msa()[0] for _ in range(4)] == ["AA", "AA", "AR", "AA"]
    messages = query(tmp_path / "m", "SELECT source, number, control_id FROM etl.message ORDER BY ALL")
    assert messages == [("feed", 1, "1NEW"), ("feed", 2, "2NEW"), ("lab", 1, "1LAB"), ("lab", 2, "2LAB")]
    assert query(tmp_path / "m", "SELECT source, settled FROM etl.listener ORDER BY 1") == [("feed", 2), ("lab", 2)]
    assert query(tmp_path / "m", "SELECT DISTINCT source FROM observation") == [("lab",)]
    kept = query(tmp_path / "m", "SELECT source, count(*) FROM hl7_segment GROUP BY 1 HAVING source = 'feed'")
    assert kept == [("feed", 6)]  # what no rule takes is kept whole
    ((numbers, distinct),) = query(tmp_path / "m", "SELECT count(number), count(DISTINCT number) FROM etl.commit")
    assert numbers == distinct > 0
    assert report.resources["Patient"].read == 2
    assert report.rows_waiting == 0
