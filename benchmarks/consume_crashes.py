"""kill -9 of a consumer at random while messages flow through RabbitMQ: each is in the mart once.

``python -m benchmarks.consume_crashes [--messages N] [--kills N]``, a part of ``make torture``, starts a RabbitMQ of
its own, fills a queue, and kills ``clinmart consume`` again and again, until the last run empties the queue. Then the
mart has each message once, and the counts of all runs add up: as many applied as there are messages, none
quarantined, and all that was read besides is a duplicate.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.brokers import observation
from tests.brokers.rabbit import Rabbit, rabbit, why_not
from tests.flows.inputs import query

_QUEUE = "killed"


@dataclass
class Found:
    """What became of it."""

    kills: int = 0
    again: int = 0  # rows that came more than once
    faults: list[str] = field(default_factory=list)


def _consumer(server: Rabbit, mart: Path, batch: int, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "flows.cli.main", "consume", "--mart", str(mart), "--source", "s"]
    command += ["--queue", _QUEUE, "--batch", str(batch), *more]
    env = os.environ | {"CLINMART_BROKER_URL": server.url}
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def killed_at_random(
    server: Rabbit, folder: Path, *, messages: int, kills: int, chance: random.Random, batch: int, longest: float = 3.0
) -> Found:
    """Kill consumers so often, each ``longest`` seconds after it is connected or earlier, then let one finish; what was
    wrong is in the answer.
    """
    found, mart = Found(), folder / "killed.duckdb"
    asyncio.run(server.declare(_QUEUE))
    asyncio.run(server.publish(_QUEUE, [observation(n) for n in range(messages)]))
    for _ in range(kills):
        with _consumer(server, mart, batch) as process:
            assert process.stdout is not None
            process.stdout.readline()  # it is connected
            time.sleep(chance.uniform(0.0, longest))
            process.send_signal(signal.SIGKILL)
        found.kills += 1
    with _consumer(server, mart, batch, "--until-idle", "2s") as process:
        process.communicate()
    if process.returncode:
        found.faults.append(f"the last run ended with {process.returncode}")
    if left := asyncio.run(server.waiting(_QUEUE)):
        found.faults.append(f"{left} messages are left in the queue")
    _look(mart, messages, found)
    return found


def _look(mart: Path, messages: int, found: Found) -> None:
    """Compare the mart with what was sent."""
    ((rows, ids, earlier),) = query(
        mart, "SELECT count(*), count(DISTINCT id), (SELECT count(*) FROM history.observation) FROM main.observation"
    )
    if (rows, ids, earlier) != (messages, messages, 0):
        found.faults.append(f"{messages} messages made {rows} rows of {ids} ids, and {earlier} of history")
    names = ("read", "applied", "duplicate", "quarantined")
    sums = ", ".join(f"coalesce(sum(list_sum(list_transform(resources, lambda r: r.{n}))), 0)::BIGINT" for n in names)
    ((read, applied, duplicate, quarantined),) = query(mart, f"SELECT {sums} FROM etl.load")
    found.again = duplicate
    if (applied, quarantined, read) != (messages, 0, applied + duplicate):
        found.faults.append(f"read {read}, applied {applied}, duplicate {duplicate}, quarantined {quarantined}")
    ((taken,),) = query(mart, "SELECT sum(messages)::BIGINT FROM etl.consumer")
    if taken != read:
        found.faults.append(f"{taken} messages were noted, and {read} read")


def main() -> None:
    """Run it; exit 1 when a message is lost, or there twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--batch", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=11)
    told = parser.parse_args()
    if (reason := why_not()) is not None:
        print(f"consume crashes: skipped, {reason}", file=sys.stderr)
        return
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="torture-") as made, rabbit(Path(made)) as server:
        chance = random.Random(told.seed)
        found = killed_at_random(
            server, Path(made), messages=told.messages, kills=told.kills, chance=chance, batch=told.batch
        )
    for fault in found.faults:
        print(f"FAULT {fault}", file=sys.stderr)
    said = "each is in the mart once" if not found.faults else "NOT EACH ONCE"
    print(
        f"{told.messages:,} messages through RabbitMQ, a consumer killed {found.kills} times: {found.again:,} came "
        f"again, {said}, in {time.monotonic() - began:.0f} s"
    )
    sys.exit(1 if found.faults else 0)


if __name__ == "__main__":
    main()
