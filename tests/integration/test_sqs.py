"""SQS, as moto's server speaks it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.consume_run import ConsumeLimits
from schemas.consumed import Place
from schemas.errors import UsageError
from sources.brokers.address import parse_address
from sources.brokers.broker import BrokerLimits
from sources.brokers.sqs import SqsBroker
from sources.pace import PassingError
from tests.brokers.consuming import consume, settings_for
from tests.brokers.moto_sqs import fill, left, moto
from tests.flows.inputs import medication, query

pytestmark = pytest.mark.integration
LIMITS = ConsumeLimits(messages=40, seconds=0.1, patience=30.0, idle=0.5)
POISON = b'{"resourceType":"Medication","id":"bad","status":"bogus"}'


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server for all tests; queues are each test's own."""
    with moto() as found:
        yield found


def broker_of(port: int, queue: str, dead: str | None = None, limits: BrokerLimits | None = None) -> SqsBroker:
    """A consumer."""
    address = parse_address(f"sqs+http://me:s3cret@127.0.0.1:{port}/?region=eu-west-1")
    return SqsBroker(address, queue, limits or BrokerLimits(120), dead=dead)


def test_messages_are_taken_and_the_refused_become_dead_letters(port: int, tmp_path: Path) -> None:
    """Where the queue's redrive policy says, with reason and place."""
    good = [medication(f"m{n}") for n in range(75)]
    fill(port, "labs", [*good[:30], POISON, *good[30:]], dead="labs-dead")
    report = consume(broker_of(port, "labs"), settings_for(tmp_path / "m"), limits=LIMITS, kind="sqs")
    assert (report.received, report.acknowledged, report.refused, report.dead_lettered) == (76, 76, 1, 1)
    assert query(tmp_path / "m", "SELECT count(*) FROM main.medication") == [(75,)]
    assert query(tmp_path / "m", "SELECT uri, payload FROM etl.quarantine") == [("sqs:labs", POISON)]
    assert left(port, "labs") == []
    told = {"clinmart-reason": "code_not_in_value_set", "clinmart-place": "sqs:labs"}
    assert left(port, "labs-dead") == [(POISON.decode(), told)]


def test_without_dead_letters_the_quarantine_has_it(port: int, tmp_path: Path) -> None:
    """And it does not come for ever."""
    fill(port, "alone", [POISON])
    report = consume(broker_of(port, "alone"), settings_for(tmp_path / "m"), limits=LIMITS, kind="sqs")
    assert (report.refused, report.dead_lettered, report.acknowledged) == (1, 0, 1)
    assert left(port, "alone") == []


def test_what_is_not_acknowledged_comes_again(port: int) -> None:
    """At once when the consumer leaves, and marked as such; what is under way is bounded."""
    fill(port, "again", [b"%d" % n for n in range(15)])

    async def run() -> None:
        broker = broker_of(port, "again", limits=BrokerLimits(12))
        await broker.open()
        found = list(await broker.receive(5, 1.0))
        while more := await broker.receive(100, 0.1):
            found += more
        assert len(found) == 12
        assert not any(one.again for one in found)
        assert all(one.sent_at is not None for one in found)
        assert await broker.acknowledge(found[:7]) == 7
        assert not broker.held(found[0])
        assert broker.held(found[7])
        await broker.open()
        assert await broker.acknowledge(found[7:]) == 0
        again = list(await broker.receive(100, 1.0))
        while more := await broker.receive(100, 0.1):
            again += more
        assert len(again) == 8
        assert sum(one.again for one in again) == 5
        assert Place("sqs", "again") in await broker.lag()
        await broker.close()

    asyncio.run(run())


def test_what_is_held_stays_invisible(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """For as long as the mart takes, which may be longer than a message is given."""
    monkeypatch.setattr("sources.brokers.sqs._INVISIBLE", 1)
    fill(port, "slow", [b"x"])

    async def run() -> None:
        one, other = broker_of(port, "slow"), broker_of(port, "slow")
        await one.open()
        await other.open()
        (held,) = await one.receive(1, 1.0)
        for _ in range(3):
            assert not await other.receive(1, 0.5)
        assert await one.acknowledge([held]) == 1
        await one.close()
        await other.close()

    asyncio.run(run())


def test_what_is_not_there(port: int) -> None:
    """A queue is a mistake, a server may be there later; keys are never told."""

    async def opened(broker: SqsBroker) -> None:
        try:
            await broker.open()
        finally:
            await broker.close()

    with pytest.raises(UsageError, match="nowhere") as refused:
        asyncio.run(opened(broker_of(port, "nowhere")))
    assert "s3cret" not in str(refused.value)
    with pytest.raises(PassingError, match="not reachable"):
        asyncio.run(opened(broker_of(1, "labs")))
