"""Kafka, as librdkafka's mock cluster speaks it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition

from flows.consume_run import ConsumeLimits
from schemas.consumed import Place
from schemas.errors import UsageError
from sources.brokers.address import parse_address
from sources.brokers.broker import BrokerLimits
from sources.brokers.kafka import KafkaBroker
from sources.pace import PassingError
from tests.brokers.consuming import consume, settings_for
from tests.brokers.kafka_mock import (
    COORDINATOR_AWAY,
    FETCH,
    ILLEGAL_GENERATION,
    NOT_LEADER,
    OFFSET_COMMIT,
    TRANSPORT,
    MockCluster,
    mock_cluster,
)
from tests.flows.inputs import medication, query

pytestmark = pytest.mark.integration
LIMITS = ConsumeLimits(messages=40, seconds=0.1, patience=30.0, idle=1.0)


@pytest.fixture(scope="module")
def cluster() -> Iterator[MockCluster]:
    """Two brokers, for all tests; topics and groups are each test's own."""
    with mock_cluster(2) as running:
        yield running


def broker_of(cluster: MockCluster, topic: str, dead: str | None = None, **more: Any) -> KafkaBroker:
    """A member of the group of the topic's name."""
    return KafkaBroker(parse_address(cluster.url), [topic], topic, BrokerLimits(), None, dead, **more)


def test_partitions_are_read_committed_and_known_to_the_mart(cluster: MockCluster, tmp_path: Path) -> None:
    """A refused message is a dead letter with its reason and place, and its partition goes on."""
    cluster.topic("labs", 2)
    cluster.topic("dead")
    cluster.put("labs", [medication(f"a{n}") for n in range(60)] + [b"{no", b""], 0)
    cluster.put("labs", [medication(f"b{n}") for n in range(30)], 1)
    report = consume(broker_of(cluster, "labs", "dead"), settings_for(tmp_path / "m"), limits=LIMITS, kind="kafka")
    assert (report.received, report.acknowledged, report.refused, report.blank) == (92, 92, 1, 1)
    assert cluster.committed("labs", "labs", 2) == [62, 30]
    assert query(tmp_path / "m", "SELECT count(*) FROM main.medication") == [(90,)]
    place = "SELECT partition, next_offset FROM etl.consumer ORDER BY ALL"
    assert query(tmp_path / "m", place) == [(0, 62), (1, 30)]
    assert query(tmp_path / "m", "SELECT uri, byte_offset FROM etl.quarantine") == [("kafka:labs/0", 0)]
    assert cluster.read("dead", 1) == [
        (b"{no", {"clinmart-reason": b"malformed_json", "clinmart-place": b"kafka:labs/0@60"})
    ]


def test_faults_of_the_cluster_lose_nothing(cluster: MockCluster, tmp_path: Path) -> None:
    """Connections that close, leaders that move, a coordinator that is away: each message is applied once."""
    cluster.topic("faulty")
    cluster.put("faulty", [medication(f"a{n}") for n in range(120)])
    cluster.fail(FETCH, TRANSPORT, NOT_LEADER, TRANSPORT)
    cluster.fail(OFFSET_COMMIT, COORDINATOR_AWAY, TRANSPORT)
    report = consume(broker_of(cluster, "faulty"), settings_for(tmp_path / "m"), limits=LIMITS, kind="kafka")
    assert report.load is not None
    assert report.load.total().applied == 120
    assert query(tmp_path / "m", "SELECT count(*) FROM main.medication") == [(120,)]
    assert cluster.committed("faulty", "faulty") == [120]


def test_an_offset_that_may_not_be_committed_is_fenced(cluster: MockCluster, tmp_path: Path) -> None:
    """Another generation has the partition: what is in the mart comes again, and is a duplicate."""
    cluster.topic("fenced")
    cluster.put("fenced", [medication(f"a{n}") for n in range(10)])
    cluster.fail(OFFSET_COMMIT, ILLEGAL_GENERATION)
    first = consume(broker_of(cluster, "fenced"), settings_for(tmp_path / "m"), limits=LIMITS, kind="kafka")
    second = consume(broker_of(cluster, "fenced"), settings_for(tmp_path / "m"), limits=LIMITS, kind="kafka")
    assert first.load is not None
    assert second.load is not None
    assert first.fenced == 10
    assert first.load.total().applied + second.load.total().applied == 10
    assert first.again + second.again == second.load.total().duplicate + first.load.total().duplicate == 10
    assert cluster.committed("fenced", "fenced") == [10]


def test_from_the_mart(cluster: MockCluster) -> None:
    """A mart that was put back from a copy gets what its group has read since."""
    cluster.topic("back")
    cluster.put("back", [b"%d" % n for n in range(10)])
    place = Place("kafka", "back", 0)

    async def first(**more: Any) -> bytes:
        broker = broker_of(cluster, "back", **more)
        await broker.open()
        try:
            while not (found := await broker.receive(5, 5.0)):
                pass
            await broker.acknowledge(found)
            return found[0].data
        finally:
            await broker.close()

    assert asyncio.run(first(known={place: 4})) == b"0"
    assert asyncio.run(first(known={place: 3}, from_mart=True)) == b"3"
    assert asyncio.run(first(known={place: 4})) == b"8"


def test_a_pause_keeps_the_member_and_a_rebalance_fences(cluster: MockCluster) -> None:
    """What was delivered before is no longer held after it."""
    cluster.topic("paused")
    cluster.put("paused", [b"%d" % n for n in range(10)])

    async def run() -> None:
        broker = broker_of(cluster, "paused")
        await broker.open()
        try:
            while not (found := await broker.receive(4, 5.0)):
                pass
            await broker.pause()
            assert not await broker.receive(4, 0.3)
            await broker.resume()
            more = await broker.receive(4, 5.0)
            assert [one.position for one in (*found, *more)] == list(range(8))
            assert (await broker.lag())[Place("kafka", "paused", 0)] == 2
            broker.lose([TopicPartition("paused", 0)])
            assert not broker.held(found[0])
            assert await broker.acknowledge(found) == 0
        finally:
            await broker.close()

    asyncio.run(run())
    assert cluster.committed("paused", "paused") == [-1001]


def test_what_is_not_there(cluster: MockCluster) -> None:
    """No topic is a mistake; no broker may be there later."""

    async def opened(broker: KafkaBroker) -> None:
        try:
            await broker.open()
        finally:
            await broker.close()

    cluster.topic("there")
    with pytest.raises(UsageError, match="has no topic 'nowhere'"):
        asyncio.run(opened(broker_of(cluster, "there", "nowhere")))
    with pytest.raises(PassingError, match="not reachable"):
        asyncio.run(opened(KafkaBroker(parse_address("kafka://127.0.0.1:1"), ["x"], "g", BrokerLimits())))


def test_a_cluster_that_goes_away_and_comes_back(cluster: MockCluster, tmp_path: Path) -> None:
    """Its messages are in the mart once."""
    cluster.topic("away")
    cluster.put("away", [medication(f"a{n}") for n in range(100)])

    class Shaken(KafkaBroker):
        calls = 0

        async def receive(self, most: int, seconds: float) -> Any:
            Shaken.calls += 1
            if Shaken.calls == 3:
                for number in (1, 2):
                    cluster.down(number)
                asyncio.get_running_loop().call_later(0.5, lambda: [cluster.up(number) for number in (1, 2)])
            return await super().receive(most, seconds)

    broker = Shaken(parse_address(cluster.url), ["away"], "away", BrokerLimits())
    limits = ConsumeLimits(messages=10, seconds=0.1, patience=60.0, idle=3.0)
    report = consume(broker, settings_for(tmp_path / "m"), limits=limits, kind="kafka")
    assert report.load is not None
    assert report.load.total().applied == 100
    assert query(tmp_path / "m", "SELECT count(*) FROM main.medication") == [(100,)]
