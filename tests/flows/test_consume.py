"""A consumer with a broker in memory and a mart on disk: each message once, whatever happens between."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flows.consume_mart import ConsumeCommitter, DrainedError, open_consumer
from flows.consume_run import ConsumeLimits
from flows.consume_stage import StagedBatch, stage_messages
from flows.drain import Drain
from flows.staging_process import ProcessDiedError
from flows.worker import Worker
from schemas.consumed import Consumed
from schemas.errors import LockedError, StorageError, TryAgainError
from schemas.routes import MessageDecoder, Routes, Rule
from sources.brokers.joined import Payload
from sources.brokers.memory import MemoryBroker, MemoryLog
from stores.lock import loader_lock
from tests.brokers.consuming import StagingHere, consume, settings_for
from tests.flows.inputs import medication, query
from tests.flows.listening import message

CANARY = "Zebedee"
POISON = b'{"resourceType":"Medication","id":"bad","status":"bogus","code":{"text":"Zebedee"}}'
_IDS = "SELECT id FROM main.medication ORDER BY id"


def ids(mart: Path) -> list[str]:
    """Of all medications."""
    return [one for (one,) in query(mart, _IDS)]


def applied(mart: Path) -> int:
    """Rows that were applied, by the reports of all runs."""
    sums = "sum(list_sum(list_transform(resources, lambda r: r.applied)))"
    ((found,),) = query(mart, f"SELECT coalesce({sums}, 0)::BIGINT FROM etl.load WHERE kind = 'consume'")
    return int(found)


class _Between:
    """A committer with something that happens before or after."""

    def __init__(
        self,
        committer: ConsumeCommitter,
        before: Callable[[], None] = lambda: None,
        after: Callable[[], None] | None = None,
    ) -> None:
        self._committer = committer
        self._before = before
        self._after = after or (lambda: None)

    def commit(self, batch: StagedBatch, consumed: Sequence[Consumed], size: int) -> None:
        self._before()
        self._committer.commit(batch, consumed, size)
        self._after()

    def release(self) -> None:
        self._committer.release()


def test_everything_that_came_is_in_the_mart_and_acknowledged(tmp_path: Path) -> None:
    """Resources, NDJSON, Bundles and HL7 v2 of two partitions, in one report that adds up."""
    log, mart = MemoryLog(), tmp_path / "m"
    entry = b'{"resource":' + medication("in-bundle") + b"}"
    log.put(medication("a"), medication("b") + b"\n" + medication("c") + b"\n", b"", partition=0)
    log.put(b'{"resourceType":"Bundle","type":"collection","entry":[' + entry + b"]}", message("M1"), partition=1)
    report = consume(MemoryBroker(log), settings_for(mart))
    assert ids(mart) == ["a", "b", "c", "in-bundle"]
    assert query(mart, "SELECT count(*) FROM main.patient") == [(1,)]
    assert log.committed == {0: 3, 1: 2}
    assert (report.received, report.acknowledged, report.blank, report.refused) == (5, 5, 1, 0)
    assert report.load is not None
    assert report.load.status == "ok"
    assert report.load.resources["Medication"].as_dict() == {
        "read": 4, "applied": 4, "superseded": 0, "duplicate": 0, "quarantined": 0, "suppressed": 0
    }  # fmt: skip
    assert report.load.inputs["ORU_R01"].applied == 1
    assert query(mart, "SELECT place, partition, next_offset, messages FROM etl.consumer ORDER BY ALL") == [
        ("labs", 0, 3, 3),
        ("labs", 1, 2, 2),
    ]
    assert query(mart, "SELECT kind, status FROM etl.load") == [("consume", "ok")]
    assert report.as_dict()["messages"]["received"] == 5  # type: ignore[index]


def test_what_is_refused_is_quarantined_and_a_dead_letter_and_the_rest_goes_on(tmp_path: Path) -> None:
    """Once in the quarantine, however often it comes, with payload, reason and place."""
    log, mart = MemoryLog(), tmp_path / "m"
    log.put(medication("a"), medication("b") + b"\n" + POISON, b"{not json", POISON, medication("c"))
    report = consume(MemoryBroker(log), settings_for(mart))
    assert ids(mart) == ["a", "b", "c"]
    assert log.committed == {0: 5}
    dead = [data for data, _ in log.dead]
    assert dead == [medication("b") + b"\n" + POISON, b"{not json", POISON]
    assert [reason for _, reason in log.dead] == ["code_not_in_value_set", "malformed_json", "code_not_in_value_set"]
    assert report.refused == report.dead_lettered == 3
    assert report.load is not None
    assert report.load.status == "quarantined"
    assert report.load.total().quarantined == 3
    assert all(counts.balanced() for counts in report.load.resources.values())
    refused = "SELECT uri, line, reason, payload FROM etl.quarantine ORDER BY ALL"
    before = query(mart, refused)
    assert before == [
        ("memory:labs/0", 1, "code_not_in_value_set", POISON),
        ("memory:labs/0", 1, "malformed_json", b"{not json"),
        ("memory:labs/0", 2, "code_not_in_value_set", POISON),
    ]
    log.put(POISON)
    consume(MemoryBroker(log), settings_for(mart))
    assert query(mart, refused) == before


def test_a_crash_between_commit_and_acknowledgment_shows_as_duplicates(tmp_path: Path) -> None:
    """Rows stand once, and the counts of both runs add up."""
    log, mart = MemoryLog(), tmp_path / "m"
    log.put(*(medication(f"m{n}") for n in range(30)))

    class Crash(Exception):
        pass

    def crash() -> None:
        raise Crash

    with pytest.raises(Crash):
        consume(MemoryBroker(log), settings_for(mart), committing=lambda one: _Between(one, after=crash))
    assert log.committed == {}
    assert len(ids(mart)) == 30
    report = consume(MemoryBroker(log), settings_for(mart))
    assert report.load is not None
    assert (report.again, report.load.total().duplicate, report.load.total().applied) == (30, 30, 0)
    assert applied(mart) == 30
    assert log.committed == {0: 30}


def test_a_rebalance_in_mid_batch_fences_what_it_takes_away(tmp_path: Path) -> None:
    """It is not acknowledged, and is a duplicate for whoever gets it; the other partition goes on."""
    log, mart = MemoryLog(), tmp_path / "m"
    log.put(*(medication(f"a{n}") for n in range(5)), partition=0)
    log.put(*(medication(f"b{n}") for n in range(5)), partition=1)
    broker = MemoryBroker(log)
    report = consume(broker, settings_for(mart), committing=lambda one: _Between(one, lambda: broker.take_away(0)))
    assert log.committed == {1: 5}
    assert (report.acknowledged, report.fenced) == (5, 5)
    broker = MemoryBroker(log)
    report = consume(broker, settings_for(mart))
    assert log.committed == {0: 5, 1: 5}
    assert (report.received, report.again) == (5, 5)
    assert len(ids(mart)) == applied(mart) == 10


def test_what_is_taken_away_before_it_is_staged_is_dropped(tmp_path: Path) -> None:
    """Another consumer has it."""
    log, mart = MemoryLog(), tmp_path / "m"
    log.put(*(medication(f"a{n}") for n in range(5)), partition=0)
    log.put(medication("b"), partition=1)

    class Rebalanced(MemoryBroker):
        async def receive(self, most: int, seconds: float) -> Any:
            found = await super().receive(most, seconds)
            self.take_away(0)
            return found

    report = consume(Rebalanced(log), settings_for(mart))
    assert ids(mart) == ["b"]
    assert (report.received, report.fenced, log.committed) == (6, 5, {1: 1})


def test_a_broker_that_goes_away_is_waited_for(tmp_path: Path) -> None:
    """And what it had delivered before comes again."""
    log, mart = MemoryLog(), tmp_path / "m"
    log.put(*(medication(f"m{n}") for n in range(20)))

    class Shaky(MemoryBroker):
        calls = 0

        async def receive(self, most: int, seconds: float) -> Any:
            self.calls += 1
            self.down = self.calls == 2
            try:
                return await super().receive(min(most, 8), seconds)
            finally:
                self.down = False

        async def open(self) -> None:
            self.down = self.opened == 1 and not self.paused
            self.paused = self.paused or int(self.down)
            try:
                await super().open()
            finally:
                self.down = False

    report = consume(Shaky(log), settings_for(mart))
    assert report.connections == 2
    assert log.committed == {0: 20}
    assert len(ids(mart)) == applied(mart) == 20
    assert report.received - report.fenced == 20


def test_a_broker_that_stays_away_ends_it(tmp_path: Path) -> None:
    """With exit code 75, after its patience."""
    broker = MemoryBroker(MemoryLog())
    broker.down = True
    with pytest.raises(TryAgainError, match="is down"):
        consume(broker, settings_for(tmp_path / "m"), limits=ConsumeLimits(patience=0.05, idle=0.05))


def test_a_mart_that_is_held_for_a_while_loses_nothing(tmp_path: Path) -> None:
    """Nothing is acknowledged before it is committed."""
    log, mart = MemoryLog(), tmp_path / "m"
    log.put(*(medication(f"m{n}") for n in range(10)))
    held: list[dict[int, int]] = []

    def fail() -> None:
        held.append(dict(log.committed))
        if len(held) == 1:
            raise LockedError("held by a test")
        if len(held) == 2:
            raise StorageError("full, for a test")

    report = consume(MemoryBroker(log), settings_for(mart), committing=lambda one: _Between(one, fail))
    assert held == [{}, {}, {}]
    assert len(ids(mart)) == report.acknowledged == 10
    assert report.load is not None
    assert report.load.total().as_dict()["applied"] == 10


def test_a_loader_that_has_the_mart_is_waited_for(tmp_path: Path) -> None:
    """As long as is told, and until it is drained."""
    mart, drain = tmp_path / "m", Drain()
    with loader_lock(mart):
        with pytest.raises(LockedError, match="being loaded"), open_consumer(settings_for(mart), "memory", drain):
            pass
        threading.Timer(0.05, drain.ask).start()
        waiting = open_consumer(settings_for(mart, wait=60.0), "memory", drain)
        with pytest.raises(DrainedError), waiting:
            pass


def test_a_drain_commits_what_was_received(tmp_path: Path) -> None:
    """And no more is taken."""
    log, mart, drain = MemoryLog(), tmp_path / "m", Drain()
    log.put(*(medication(f"m{n}") for n in range(10)))

    class Asked(MemoryBroker):
        async def receive(self, most: int, seconds: float) -> Any:
            found = await super().receive(4, seconds)
            drain.ask()
            return found

    report = consume(Asked(log), settings_for(mart), drain=drain)
    assert report.load is not None
    assert report.load.status == "drained"
    assert log.committed == {0: 4}
    assert len(ids(mart)) == report.acknowledged == 4
    assert query(mart, "SELECT status FROM etl.load") == [("drained",)]


def test_a_slow_mart_pauses_the_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than three batches are under way."""
    monkeypatch.setattr("flows.consume_run._PAUSE_AFTER", 0.01)
    log, mart = MemoryLog(), tmp_path / "m"
    log.put(*(medication(f"m{n}") for n in range(10)))
    broker, most, slow = MemoryBroker(log), [0], threading.Event()

    def before() -> None:
        slow.wait(0.1)
        most[0] = max(most[0], log.reached.get(0, 0) - log.committed.get(0, 0))

    limits = ConsumeLimits(messages=1, seconds=0.01, idle=0.2)
    report = consume(broker, settings_for(mart), limits=limits, committing=lambda one: _Between(one, before))
    assert broker.paused == report.pauses > 0
    assert most[0] <= 3
    assert len(ids(mart)) == 10


class _Fragile(StagingHere):
    """A decoder that one message breaks: ``how`` is raised for every lot that it is in."""

    how: Exception = ValueError("Zebedee")
    seen: list[int]

    def run(self, work: Any, *args: Any, **more: Any) -> Any:
        some, broken = args[0], args[3]
        if not broken and any(b"break-me" in payload.data for _, payload in some):
            self.seen.append(len(some))
            raise self.how
        return super().run(work, *args, **more)


@pytest.mark.parametrize("how", [ValueError(CANARY), ProcessDiedError("died")])
def test_a_message_that_breaks_the_decoder_is_tried_and_then_given_up(
    tmp_path: Path, how: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Alone, so that the others go on; its payload is kept whole."""
    log, mart = MemoryLog(), tmp_path / "m"
    bad = medication("x", f"break-me {CANARY}")
    log.put(*(medication(f"m{n}") for n in range(4)), bad, *(medication(f"n{n}") for n in range(3)))
    seen: list[int] = []

    def staging(workers: Sequence[Worker]) -> StagingHere:
        made = _Fragile(workers)
        made.how, made.seen = how, seen
        return made

    report = consume(MemoryBroker(log), settings_for(mart), staging=staging, tries=3)
    assert len(ids(mart)) == 7
    assert seen == [8, 4, 2, 1, 1, 1]
    assert query(mart, "SELECT reason, payload, payload_bytes FROM etl.quarantine") == [("undecodable", bad, len(bad))]
    assert log.dead == [(bad, "undecodable")]
    assert (report.acknowledged, report.refused) == (8, 1)
    assert CANARY not in caplog.text


def test_rules_send_messages_to_their_sources(tmp_path: Path) -> None:
    """Each source has its own counts; what a rule rejects is a dead letter."""
    log, mart = MemoryLog(), tmp_path / "m"
    rules = (
        Rule(match=(("MSH-3", ("LAB",)),), source="lab"),
        Rule(match=(("MSH-3", ("SPAM",)),), decoder=MessageDecoder.REJECT),
    )
    spam = message("M2", sender="SPAM|X")
    log.put(message("M1"), spam, message("M3", sender="OTHER|X"), medication("a"))
    report = consume(MemoryBroker(log), settings_for(mart, "main", routes=Routes(rules, "main")))
    assert query(mart, "SELECT source, count(*) FROM main.patient GROUP BY 1") == [("lab", 1)]
    assert query(mart, "SELECT source FROM main.medication") == [("main",)]
    assert log.dead == [(spam, "rejected_by_rule")]
    assert report.load is not None
    assert report.load.unrouted == 1
    assert sum(counts.read for counts in report.load.inputs.values()) == 3
    assert query(mart, "SELECT source, broker FROM etl.consumer") == [("main", "memory")]
    assert log.committed == {0: 4}


def test_a_position_never_moves_back(tmp_path: Path) -> None:
    """What was read again does not take back what is in the mart."""
    log, mart = MemoryLog(), tmp_path / "m"
    log.put(*(medication(f"m{n}") for n in range(4)))
    consume(MemoryBroker(log), settings_for(mart))
    log.committed = {0: 1}
    log.partitions[0] = log.partitions[0][:3]
    consume(MemoryBroker(log), settings_for(mart))
    assert query(mart, "SELECT next_offset, messages FROM etl.consumer") == [(4, 6)]


def test_staged_rejections_name_their_messages(tmp_path: Path) -> None:
    """A batch that is split, as after a fault, has the numbers of the whole."""
    settings, now = settings_for(tmp_path / "m"), datetime.now(UTC)
    with open_consumer(settings, "memory", Drain()) as committer:
        workers = [session.worker for session in committer.sessions]
        some = [
            (7, Payload(medication("a"), "q", now)),
            (9, Payload(POISON, "q", now)),
            (11, Payload(b"MSH|", "q", now)),
        ]
        made = stage_messages(workers, some, now, settings.limits, False)
    assert made.refused == {9: "code_not_in_value_set", 11: "malformed_header"}


def test_status_tells_of_consumers(tmp_path: Path, clinmart: Callable[..., Any]) -> None:
    """How far each place is."""
    log, mart = MemoryLog(), tmp_path / "m"
    log.put(medication("a"), medication("b"))
    consume(MemoryBroker(log), settings_for(mart))
    (told,) = clinmart("status", "--mart", mart, "--json").json["consumers"]
    assert (told["place"], told["next_offset"], told["messages"], told["lag"]) == ("labs", 2, 2, 2)
    assert "labs" in clinmart("status", "--mart", mart).out.decode()
    with duckdb.connect(str(mart)) as connection:
        connection.execute("DROP TABLE etl.consumer")
    assert clinmart("status", "--mart", mart, "--json").json["consumers"] == []


def test_versions_without_a_time_are_ordered_by_when_they_were_sent(tmp_path: Path) -> None:
    """Also those of one batch, and when an older one comes again later."""
    log, mart = MemoryLog(), tmp_path / "m"
    texts = ["first", "second", "third", "fourth"]

    class Sent(MemoryBroker):
        async def receive(self, most: int, seconds: float) -> Any:
            found = await super().receive(most, seconds)
            at = {text: datetime(2026, 1, 1, 0, 0, n, tzinfo=UTC) for n, text in enumerate(texts)}
            return [replace(one, sent_at=next(at[t] for t in texts if t.encode() in one.data)) for one in found]

    log.put(*(medication("a", text, updated=None) for text in texts), POISON.replace(b"Zebedee", b"fourth"))
    consume(Sent(log), settings_for(mart))
    log.put(medication("a", "second", updated=None))
    report = consume(Sent(log), settings_for(mart))
    assert query(mart, "SELECT code_text, last_updated::VARCHAR FROM main.medication") == [
        ("fourth", "2026-01-01 00:00:03+00")
    ]
    assert query(mart, "SELECT code_text FROM history.medication ORDER BY last_updated") == [
        ("first",), ("second",), ("third",)
    ]  # fmt: skip
    assert query(mart, "SELECT as_of::VARCHAR FROM etl.quarantine") == [("2026-01-01 00:00:03+00",)]
    assert report.load is not None
    assert report.load.total().duplicate == 1
