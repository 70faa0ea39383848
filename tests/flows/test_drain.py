"""Loads that are asked to stop: what was read whole is committed, the rest is left to the next load."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.drain import Drain, draining
from flows.runner import Progress, run_load
from flows.settings import LoadSettings
from schemas.errors import EXIT_DRAINED
from sources.memory import MemorySource
from sources.source import ReadLimits
from tests.flows.inputs import contents, medication, query
from transforms.sample import Sampling

FILES = {f"{name}.ndjson": medication(name) + b"\n" + medication("shared", name) + b"\n" for name in "abcdef"}


def _settings(folder: Path, **more: object) -> LoadSettings:
    return LoadSettings(folder / "m", "s", sampling=Sampling(0), **more)  # type: ignore[arg-type] # any field


def _drained_after(partitions: int, folder: Path, **more: object) -> str:
    """Load, and ask to stop when so many partitions are read."""
    drain, sizes = Drain(), [len(data) for data in FILES.values()]
    if not partitions:
        drain.ask()

    def watch(now: Progress) -> None:
        if now.done >= sum(sizes[:partitions]):
            drain.ask()

    return run_load(MemorySource(FILES), _settings(folder, **more), watch, drain).status


BESIDE = ["m", "m.audit", "m.keys", "m.lock"]  # what a load leaves


@pytest.fixture
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What an undisturbed load gives."""
    folder = tmp_path_factory.mktemp("whole")
    run_load(MemorySource(FILES), _settings(folder))
    return contents(folder / "m")


@pytest.mark.parametrize("partitions", range(6))
def test_the_next_load_completes_a_drained_one(tmp_path: Path, whole: dict[str, list[str]], partitions: int) -> None:
    """Whole partitions have receipts, nothing staged is left, and the second load ends in the same tables."""
    assert _drained_after(partitions, tmp_path) == "drained"
    assert query(tmp_path / "m", "SELECT count(*) FROM etl.receipt") == [(partitions,)]
    assert query(tmp_path / "m", "SELECT status FROM etl.load") == [("drained",)]
    assert sorted(p.name for p in tmp_path.iterdir()) == [*BESIDE, *["m.tail"][:partitions]]
    assert run_load(MemorySource(FILES), _settings(tmp_path)).status == "ok"
    assert contents(tmp_path / "m") == whole


def test_a_partition_in_the_middle_is_left_out(tmp_path: Path, whole: dict[str, list[str]]) -> None:
    """What was staged of it goes, and its bytes are not counted."""
    drain = Drain()

    class Asked(MemorySource):
        def read(self, partition):  # type: ignore[no-untyped-def]
            reading = super().read(partition)
            if partition.uri.endswith("c.ndjson"):
                drain.ask()
            return reading

    source = Asked(FILES, ReadLimits(chunk_bytes=60))
    report = run_load(source, _settings(tmp_path), None, drain)
    assert (report.status, report.bytes) == ("drained", sum(len(FILES[f"{n}.ndjson"]) for n in "ab"))
    assert query(tmp_path / "m", "SELECT count(*) FROM etl.receipt") == [(2,)]
    run_load(MemorySource(FILES), _settings(tmp_path))
    assert contents(tmp_path / "m") == whole


def test_a_strict_load_is_all_or_nothing(tmp_path: Path) -> None:
    """Drained, it commits nothing."""
    assert _drained_after(3, tmp_path, strict=True) == "drained"
    assert query(tmp_path / "m", "SELECT count(*) FROM etl.receipt") == [(0,)]


def test_signals_are_given_back() -> None:
    """After the load the process listens as before."""
    before = signal.getsignal(signal.SIGTERM)
    with draining(10) as drain:
        os.kill(os.getpid(), signal.SIGTERM)
        assert drain.asked
    assert signal.getsignal(signal.SIGTERM) is before


def _loader(inputs: Path, mart: Path, *more: str) -> subprocess.Popen[bytes]:
    command = ["load", str(inputs), "--mart", str(mart), "--source", "s", "--sample", "0", "--json", *more]
    return subprocess.Popen([sys.executable, "-m", "flows.cli.main", *command], stdout=subprocess.PIPE)


def _wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None and not path.exists():
        os.sched_yield()


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files enough for a load to be met on its way."""
    folder = tmp_path_factory.mktemp("inputs")
    for name in range(40):
        lines = (medication(f"{name}-{i}", str(i)) for i in range(3000))
        (folder / f"Medication.{name:02}.ndjson").write_bytes(b"".join(line + b"\n" for line in lines))
    return folder


@pytest.mark.parametrize(
    ("signals", "more"),
    [([signal.SIGTERM], ()), ([signal.SIGINT, signal.SIGTERM], ()), ([signal.SIGTERM], ("--grace", "0"))],
)
def test_a_signal_in_the_middle(
    tmp_path: Path, inputs: Path, signals: list[signal.Signals], more: tuple[str, ...]
) -> None:
    """The first drains, a second or the end of grace aborts; 143 either way, and the next load ends as any."""
    mart = tmp_path / "m"
    process = _loader(inputs, mart, *more)
    _wait_for(mart.with_name("m.staging"), process)
    began = time.monotonic()
    for number in signals:
        process.send_signal(number)
    process.communicate()
    assert process.returncode == EXIT_DRAINED
    assert time.monotonic() - began < 60
    again = _loader(inputs, mart)
    again.communicate()
    assert again.returncode == 0
    assert query(mart, "SELECT count(*), count(DISTINCT id) FROM medication") == [(120_000, 120_000)]
    assert query(mart, "SELECT count(*) FROM etl.receipt") == [(40,)]
    assert sorted(p.name for p in tmp_path.iterdir()) == [*BESIDE, "m.tail"]
