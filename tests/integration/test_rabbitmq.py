"""RabbitMQ, a real one that the tests start."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.consume_crashes import killed_at_random
from flows.consume_run import ConsumeLimits
from schemas.errors import UsageError
from sources.brokers.address import parse_address
from sources.brokers.broker import BrokerLimits
from sources.brokers.rabbitmq import RabbitBroker
from sources.brokers.tls import ClientTls
from sources.pace import PassingError
from tests.brokers.consuming import consume, settings_for
from tests.brokers.rabbit import Rabbit, rabbit, why_not
from tests.flows.inputs import medication, query

pytestmark = [pytest.mark.integration, pytest.mark.skipif(why_not() is not None, reason=str(why_not()))]
LIMITS = ConsumeLimits(messages=50, seconds=0.1, patience=60.0, idle=0.5)
POISON = b'{"resourceType":"Medication","id":"bad","status":"bogus"}'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rabbit]:
    """One server for all tests; queues are each test's own."""
    with rabbit(tmp_path_factory.mktemp("rabbit")) as running:
        yield running


def broker_of(server: Rabbit, queue: str, dead: str | None = None, limits: BrokerLimits | None = None) -> RabbitBroker:
    """A consumer."""
    return RabbitBroker(parse_address(server.url), queue, limits or BrokerLimits(150), None, dead)


def test_messages_are_taken_and_the_refused_become_dead_letters(server: Rabbit, tmp_path: Path) -> None:
    """By the queue's own policy."""
    asyncio.run(server.declare("labs.dead"))
    policy = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "labs.dead"}
    asyncio.run(server.declare("labs", **policy))
    good = [medication(f"m{n}") for n in range(120)]
    asyncio.run(server.publish("labs", [*good[:60], POISON, *good[60:]]))
    report = consume(broker_of(server, "labs"), settings_for(tmp_path / "m"), limits=LIMITS, kind="rabbitmq")
    assert (report.received, report.acknowledged, report.refused, report.dead_lettered) == (121, 121, 1, 1)
    assert query(tmp_path / "m", "SELECT count(*) FROM main.medication") == [(120,)]
    assert query(tmp_path / "m", "SELECT uri, payload FROM etl.quarantine") == [("rabbitmq:labs", POISON)]
    assert asyncio.run(server.waiting("labs")) == 0
    assert [data for data, _ in asyncio.run(server.take("labs.dead"))] == [POISON]


def test_the_last_of_a_batch_may_be_refused(server: Rabbit, tmp_path: Path) -> None:
    """Those before it are acknowledged, and the connection lives; so with a batch that is refused whole."""
    asyncio.run(server.declare("last.dead"))
    asyncio.run(server.declare("last", **{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "last.dead"}))
    for sent in ([medication("a"), medication("b"), POISON], [POISON]):
        asyncio.run(server.publish("last", sent))
        report = consume(broker_of(server, "last"), settings_for(tmp_path / "m"), limits=LIMITS, kind="rabbitmq")
        assert (report.received, report.acknowledged, report.connections) == (len(sent), len(sent), 1)
        assert asyncio.run(server.waiting("last")) == 0
    assert asyncio.run(server.waiting("last.dead")) == 2


def test_dead_letters_of_our_own(server: Rabbit, tmp_path: Path) -> None:
    """With the reason and the place; the queue must be there."""
    for name in ("own", "own.dead"):
        asyncio.run(server.declare(name))
    asyncio.run(server.publish("own", [POISON, medication("a")]))
    report = consume(broker_of(server, "own", "own.dead"), settings_for(tmp_path / "m"), limits=LIMITS, kind="rabbitmq")
    assert report.acknowledged == 2
    ((data, headers),) = asyncio.run(server.take("own.dead"))
    assert data == POISON
    assert headers == {"clinmart-reason": "code_not_in_value_set", "clinmart-place": "rabbitmq:own"}
    assert asyncio.run(server.waiting("own")) == 0


def test_what_is_not_acknowledged_comes_again_and_the_prefetch_is_bounded(server: Rabbit) -> None:
    """In messages and, where these are large, in bytes."""
    asyncio.run(server.declare("bounded"))
    asyncio.run(server.publish("bounded", [b"x" * 1000] * 40))

    async def run() -> None:
        broker = broker_of(server, "bounded", limits=BrokerLimits(10))
        await broker.open()
        first = list(await broker.receive(100, 5.0))
        while more := await broker.receive(100, 0.3):
            first += more
        assert len(first) == 10
        assert await broker.acknowledge(first[:4]) == 4
        await broker.open()  # the others are given back
        assert not broker.held(first[5])
        assert await broker.acknowledge(first[4:]) == 0
        again = list(await broker.receive(100, 5.0))
        while len(again) < 10 and (more := await broker.receive(100, 1.0)):
            again += more
        assert sum(one.again for one in again) >= 6  # and those that were on their way
        await broker.close()
        small = broker_of(server, "bounded", limits=BrokerLimits(1000, 8_000))
        await small.open()
        held = list(await small.receive(1000, 5.0))
        while more := await small.receive(1000, 0.3):
            held += more
        assert len(held) == 36  # all that was sent before it was told to stop
        assert small._tag is None  # it takes no more
        await small.acknowledge(held)
        assert not await small.receive(1, 0.1)
        assert small._tag is not None
        await small.close()

    asyncio.run(run())


def test_what_is_not_there(server: Rabbit) -> None:
    """A queue and a password are mistakes, a server may be there later."""

    async def opened(url: str, queue: str) -> None:
        broker = RabbitBroker(parse_address(url), queue, BrokerLimits())
        try:
            await broker.open()
        finally:
            await broker.close()

    with pytest.raises(UsageError, match="has no such queue"):
        asyncio.run(opened(server.url, "nowhere"))
    with pytest.raises(UsageError, match="refuses") as refused:
        asyncio.run(opened(server.url.replace("guest:guest", "guest:s3cret"), "labs"))
    assert "s3cret" not in str(refused.value)
    with pytest.raises(PassingError, match="not reachable"):
        asyncio.run(opened("amqp://127.0.0.1:1", "labs"))


def test_a_queue_that_is_deleted_is_missed(server: Rabbit) -> None:
    """Its messages do not just stay away."""
    asyncio.run(server.declare("deleted"))

    async def run() -> None:
        broker = broker_of(server, "deleted")
        await broker.open()
        try:
            assert not await broker.receive(1, 0.1)
            await server.delete("deleted")
            with pytest.raises(PassingError, match="has ended our consumption"):
                for _ in range(100):
                    await broker.receive(1, 0.1)
            with pytest.raises(PassingError, match="has no such queue"):
                await broker.open()
        finally:
            await broker.close()

    asyncio.run(run())


def test_tls(server: Rabbit) -> None:
    """The server's certificate is verified against the one that is trusted, and nothing else will do."""
    asyncio.run(server.declare("tls"))
    asyncio.run(server.publish("tls", [b"x"]))

    async def first(tls: ClientTls) -> bytes:
        address = parse_address(f"amqps://guest:guest@localhost:{server.tls_port}/")
        broker = RabbitBroker(address, "tls", BrokerLimits(), tls.context())
        try:
            await broker.open()
            (found,) = await broker.receive(1, 5.0)
            return found.data
        finally:
            await broker.close()

    assert asyncio.run(first(ClientTls(server.certificate))) == b"x"
    with pytest.raises(UsageError, match="not trusted"):
        asyncio.run(first(ClientTls()))


def test_a_server_that_is_killed_and_started_again(server: Rabbit, tmp_path: Path) -> None:
    """In mid-stream: each message is in the mart once, and the counts say so."""
    asyncio.run(server.declare("shaken"))
    asyncio.run(server.publish("shaken", [medication(f"m{n}") for n in range(400)]))

    class Shaken(RabbitBroker):
        calls = 0

        async def receive(self, most: int, seconds: float) -> Any:
            Shaken.calls += 1
            if Shaken.calls == 3:
                server.kill()
                threading.Thread(target=server.begin).start()
            return await super().receive(min(most, 40), seconds)

    broker = Shaken(parse_address(server.url), "shaken", BrokerLimits(150))
    limits = ConsumeLimits(messages=50, seconds=0.1, patience=120.0, idle=1.0)
    report = consume(broker, settings_for(tmp_path / "m"), limits=limits, kind="rabbitmq")
    assert report.connections == 2
    assert report.load is not None
    total = report.load.total()
    assert (total.applied, total.quarantined) == (400, 0)
    assert total.read == total.applied + total.duplicate == report.received - report.fenced + total.duplicate
    assert query(tmp_path / "m", "SELECT count(*) FROM main.medication") == [(400,)]
    assert asyncio.run(server.waiting("shaken")) == 0


def test_the_command_drains(server: Rabbit, tmp_path: Path) -> None:
    """SIGTERM: what was received is committed and acknowledged, exit 143."""
    asyncio.run(server.declare("drained"))
    asyncio.run(server.publish("drained", [medication(f"m{n}") for n in range(30)]))
    command = [sys.executable, "-m", "flows.cli.main", "consume", "--mart", str(tmp_path / "m"), "--source", "s"]
    command += ["--queue", "drained", "--batch-seconds", "60", "--json"]
    env = os.environ | {"CLINMART_BROKER_URL": server.url}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith(b"clinmart: consuming drained of rabbitmq at 127.0.0.1")
        while asyncio.run(server.waiting("drained")):
            pass
        process.send_signal(signal.SIGTERM)
        said, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert b"guest" not in err
    report = json.loads(said)
    assert (report["status"], report["messages"]["acknowledged"]) == ("drained", 30)
    assert query(tmp_path / "m", "SELECT count(*) FROM main.medication") == [(30,)]


def test_killed_at_random(server: Rabbit, tmp_path: Path) -> None:
    """kill -9, again and again: each message is in the mart once (``make torture`` does it with 50,000)."""
    found = killed_at_random(server, tmp_path, messages=2_000, kills=2, chance=random.Random(3), batch=200, longest=1.5)
    assert found.faults == []
    assert found.kills == 2
