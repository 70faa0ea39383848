"""What outages do to a consumer: the same tables in the end, and nothing acknowledged that is not in the mart.

Rows of the table of :mod:`benchmarks.outages`. Messages flow through a RabbitMQ of our own into ``clinmart consume``;
the broker is killed, is away for longer than the consumer waits, or a reader holds the mart. In the end the mart is
compared row by row with one that a load of the same resources made.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchmarks.brokers import observation
from tests.brokers.rabbit import Rabbit, rabbit, why_not
from tests.flows.inputs import contents

_MESSAGES = 8_000
_BATCH = 500
_UNDER_WAY = 3 * _BATCH
_LATER = 75
_HELD = 6.0  # seconds that a reader holds the mart
Row = tuple[str, list[int], int, int, list[str]]  # name, exit codes, peak MB, most messages under way, what was wrong


@dataclass
class _Run:
    """A consumer that runs; how many of its messages are settled is told by the queue."""

    server: Rabbit
    queue: str
    mart: Path
    patience: str = "10m"
    most: int = 0

    def begin(self) -> subprocess.Popen[bytes]:
        """Start it, and wait until it is connected."""
        command = [sys.executable, "-m", "flows.cli.main", "consume", "--mart", str(self.mart), "--source", "s"]
        command += ["--queue", self.queue, "--batch", str(_BATCH), "--batch-seconds", "0.2", "--until-idle", "5s"]
        command += ["--patience", self.patience]
        env = os.environ | {"CLINMART_BROKER_URL": self.server.url}
        process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    def ready(self) -> int:
        """Messages that were not delivered yet."""
        return asyncio.run(self.server.waiting(self.queue))

    def until(self, left: int) -> None:
        """Wait until no more than ``left`` messages were not delivered yet."""
        while self.ready() > left:
            time.sleep(0.05)


def _end(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    """Exit code and peak MB."""
    assert process.stdout is not None
    process.stdout.read()
    _, ended, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(ended)
    return process.returncode, used.ru_maxrss // 1024


def _killed(run: _Run) -> tuple[list[int], int, list[str]]:
    """The broker is killed in mid-stream, and is started again at once."""
    process = run.begin()
    run.until(_MESSAGES // 2)
    run.server.kill()
    run.server.begin()
    code, peak = _end(process)
    return [code], peak, []


def _away(run: _Run) -> tuple[list[int], int, list[str]]:
    """The broker is away for longer than the consumer waits."""
    run.patience = "1s"
    process = run.begin()
    run.until(_MESSAGES // 2)
    run.server.kill()
    code, peak = _end(process)
    wrong = [] if code == _LATER else [f"exit {code} while the broker was away"]
    run.server.begin()
    again, more = _end(run.begin())
    return [code, again], max(peak, more), wrong


def _slow(run: _Run) -> tuple[list[int], int, list[str]]:
    """A reader holds the mart for a while: nothing more is taken from the broker than may be under way."""
    process = run.begin()
    run.until(_MESSAGES - _BATCH)
    wrong: list[str] = []
    holding = threading.Thread(target=_hold, args=(run, wrong))
    holding.start()
    code, peak = _end(process)
    holding.join()
    return [code], peak, wrong


def _hold(run: _Run, wrong: list[str]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with duckdb.connect(str(run.mart), read_only=True) as connection:
                ((committed,),) = connection.execute("SELECT sum(messages)::BIGINT FROM etl.consumer").fetchall()
                until = time.monotonic() + _HELD
                while time.monotonic() < until:
                    time.sleep(0.1)
                run.most = _MESSAGES - run.ready() - committed
                if run.most > _UNDER_WAY:
                    wrong.append(f"{run.most} messages under way")
                return
        except (duckdb.Error, TypeError):
            time.sleep(0.02)
    wrong.append("the mart was never free for a reader")


_OUTAGES: tuple[tuple[str, Callable[[_Run], tuple[list[int], int, list[str]]]], ...] = (
    ("broker killed and restarted", _killed),
    ("broker away too long", _away),
    ("slow mart under a consumer", _slow),
)


def broker_outages(folder: Path, only: str = "") -> Iterator[Row]:
    """A row for each outage; none where no broker can be started."""
    if not any(only in name for name, _ in _OUTAGES):
        return
    if (reason := why_not()) is not None:
        print(f"outages of brokers: skipped, {reason}", file=sys.stderr)
        return
    lines = [observation(n) for n in range(_MESSAGES)]
    (folder / "messages.ndjson").write_bytes(b"".join(line + b"\n" for line in lines))
    loaded = folder / "loaded.duckdb"
    command = [sys.executable, "-m", "flows.cli.main", "load", str(folder / "messages.ndjson"), "--mart", str(loaded)]
    subprocess.run([*command, "--source", "s"], stdout=subprocess.DEVNULL, check=True)
    expected = contents(loaded)
    (folder / "rabbit").mkdir()
    with rabbit(folder / "rabbit") as server:
        for number, (name, act) in enumerate(_OUTAGES):
            if only not in name:
                continue
            run = _Run(server, f"q{number}", folder / f"q{number}.duckdb")
            asyncio.run(server.declare(run.queue))
            asyncio.run(server.publish(run.queue, lines))
            codes, peak, wrong = act(run)
            if codes[-1] != 0:
                wrong.append(f"exit {codes[-1]}")
            elif left := run.ready():
                wrong.append(f"{left} messages left")
            if contents(run.mart) != expected:
                wrong.append("differs")
            yield name, codes, peak, run.most, wrong
