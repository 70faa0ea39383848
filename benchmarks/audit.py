"""What the audit trail costs the main load: the same observations into empty marts, with it and without, in turns.

``python -m benchmarks.audit [--observations N] [--rounds N] [--keep FOLDER]`` prints one table. Without it neither
records, versions nor checkpoints are made; only this benchmark can switch it off.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sources.synth import SynthPlan, write_synth

_OFF = """
from contextlib import contextmanager
import flows.opening
class Act:
    intent = versions = None
    detail = {}
    def made(self, made): pass
class Off:
    def __init__(self, *_): pass
    @contextmanager
    def load(self): yield
    @contextmanager
    def commit(self, unit): yield Act()
    def reconcile(self, connection): pass
    def finish(self, connection): pass
flows.opening.SessionAudit = Off
"""
_LOAD = "from flows.cli.main import main\nmain()"


def load_once(file: Path, mart: Path, *, audited: bool) -> tuple[float, float]:
    """Seconds of a whole load as the user waits for it, and of the processors."""
    program = _LOAD if audited else _OFF + _LOAD
    command = [sys.executable, "-c", program, "load", str(file), "--mart", str(mart), "--source", "b", "--json"]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit("the load failed")
    if mart.with_name(mart.name + ".audit").exists() != audited:
        raise SystemExit("the trail is not as it was to be")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--observations", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="folder to make the input in, and to find it in again")
    options = parser.parse_args()
    taken: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    with tempfile.TemporaryDirectory(prefix="clinmart-bench-") as scratch:
        folder = options.keep or Path(scratch) / "input"
        file = folder / "Observation.000.ndjson"
        if not file.exists():
            plan = SynthPlan(patients=2000, seed=3, types={"Observation"}, observations=options.observations)
            write_synth(plan, folder)
        for number in range(options.rounds):
            for audited in (True, False) if number % 2 else (False, True):
                mart = Path(scratch) / f"mart-{number}-{audited}"
                taken[audited].append(load_once(file, mart, audited=audited))
                print(f"  {'with' if audited else 'without':<8} {taken[audited][-1]}", file=sys.stderr)
                mart.unlink()
        size = file.stat().st_size / 1e6
    print(f"{size:,.0f} MB of observations, {options.rounds} rounds in turns, medians")
    for part, name in enumerate(("seconds", "seconds of the processors")):
        on, off = (statistics.median(one[part] for one in taken[audited]) for audited in (True, False))
        ratios = [a[part] / b[part] - 1 for a, b in zip(taken[True], taken[False], strict=True)]
        told = f"{statistics.median(ratios):+.1%}: {min(ratios):+.1%} to {max(ratios):+.1%}"
        print(f"{name:<28} with {on:6.1f}  without {off:6.1f}  ({told})")


if __name__ == "__main__":
    main()
