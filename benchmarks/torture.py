"""Nothing lost, nothing doubled: a load is killed, and its disk made to fail, at every call that it makes on a mart.

``make torture`` prints for each kind of file and call how many loads died there, and what one plain re-run then gave,
compared row by row with an undisturbed load; it fails when any differs. Needs strace and the right to use it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import crashes

SKIPPED = 77  # exit code where strace cannot be used
_SPARSE = ("log made", 8)  # kind of file of which one call in so many fails: a crash there always leaves the same
_QUICK = 26  # crashes of `--quick`
_SYNTH = ["--seed", "7", "--patients", "2", "--versions", "0.2", "--dirty", "0.05"]
_SMALL = [*_SYNTH, "--types", "Patient,Medication,Condition,Encounter,Immunization"]
_LONGER = ["--seed", "8", "--size", "3MB", "--versions", "0.1", "--dirty", "0.01"]
_LINE = re.compile(r"^(\d+) +(\w+)\((?:\d+<([^>]+)>|\"([^\"]+)\")")
_HOW = {"kill": "signal=KILL:when={}", "EIO": "error=EIO:when={}", "ENOSPC": "error=ENOSPC:when={}+"}
_FILLS = ("write", "pwrite64", "fdatasync", "fsync")  # calls that a full disk fails


@dataclass(frozen=True)
class Crash:
    """The ``number``-th time that a thread makes a call on files of a kind."""

    kind: str
    call: str
    how: str
    number: int


@dataclass
class Tally:
    """What became of crashes of one kind."""

    crashes: int = 0
    equal: int = 0
    lost: int = 0
    more: int = 0
    exits: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


_STAYS = ("m", "m.audit", "m.keys", "m.lock", "m.tail", "dump.json")  # beside a mart, after a load
_KINDS = {"": "mart", ".wal": "log", ".tail": "tail", ".new": "mart made", ".new.wal": "log made", ".keys": "keys"}


class Torture:
    """A folder with inputs, what an undisturbed load makes of them, and the mart that is tortured."""

    def __init__(self, folder: Path, inputs: list[str]) -> None:
        self.folder = folder
        self.inputs, self.expected = folder / "in", folder / "expected.json"
        self.place = folder / "place"
        self.mart = self.place / "m"
        crashes.synth(self.inputs, inputs)
        self._clear()
        began = time.monotonic()
        _must(crashes.forked(crashes.loader(self.inputs, self.mart)), (3,))
        self.seconds = time.monotonic() - began
        crashes.expect(self.mart, self.expected)
        self.rows = len(json.loads(self.expected.read_text()))
        self.paths: dict[str, set[Path]] = defaultdict(set)  # of files of a kind
        self.tallies: dict[tuple[str, str, str], Tally] = defaultdict(Tally)

    def survey(self) -> list[Crash]:
        """Every place where a load can die, by looking at one that does not."""
        self._clear()
        log = self.folder / "survey"
        trace = crashes.strace(log, (), crashes.CALLS, None)
        _must(crashes.forked(crashes.loader(self.inputs, self.mart, fixed=True), trace), (3,))
        self.paths.clear()
        counts: Counter[tuple[str, str, str]] = Counter()
        for line in log.read_text().splitlines():
            if (found := _LINE.match(line)) and (kind := self._kind(path := found[3] or found[4])):
                counts[kind, found[2], found[1]] += 1
                self.paths[kind].add(Path(path))
        most: dict[tuple[str, str], int] = {}
        for (kind, call, _), count in counts.items():
            most[kind, call] = max(count, most.get((kind, call), 0))
        return [
            Crash(kind, call, how, number)
            for (kind, call), count in sorted(most.items())
            for how in _HOW
            if how != "ENOSPC" or call in _FILLS
            for number in range(1, count + 1, _SPARSE[1] if kind == _SPARSE[0] else 1)
        ]

    def crash(self, crash: Crash) -> None:
        """Let a load die there, and load again."""
        self._clear()
        inject = _HOW[crash.how].format(crash.number)
        trace = crashes.strace(self.folder / "trace", sorted(self.paths[crash.kind]), [crash.call], inject)
        ended = crashes.forked(crashes.loader(self.inputs, self.mart, fixed=True), trace)
        if "(INJECTED)" not in (self.folder / "trace").read_text() and ended.code != -9:
            return  # threads divide their work otherwise each time
        tally = self.tallies[crash.kind, crash.call, crash.how]
        tally.exits[ended.code] += 1
        if crash.how != "kill" and not _clean(ended):
            tally.faults.append(f"{crash}: exit {ended.code}: {ended.said.strip()[-400:]}")
        self._again(tally, str(crash))

    def kill(self, seconds: float) -> None:
        """Kill a load after so many seconds, and load again."""
        self._clear()
        ended = crashes.forked(crashes.loader(self.inputs, self.mart), seconds=seconds)
        tally = self.tallies["any", "any", "kill -9"]
        tally.exits[ended.code] += 1
        self._again(tally, f"kill after {seconds:.3f} s")

    def fill(self, size: int) -> None:
        """Load onto a disk of ``size`` bytes, then onto a larger one."""
        self._clear()
        with _disk(self.place, size) as enlarge:
            ended = crashes.forked(crashes.loader(self.inputs, self.mart))
            tally = self.tallies["any", "any", "full disk"]
            tally.exits[ended.code] += 1
            if not _clean(ended):
                tally.faults.append(f"disk of {size}: exit {ended.code}: {ended.said.strip()[-400:]}")
            enlarge()
            self._again(tally, f"disk of {size} bytes")

    def _again(self, tally: Tally, what: str) -> None:
        tally.crashes += 1
        ended = crashes.forked(crashes.loader(self.inputs, self.mart))
        if ended.code != 3:
            tally.faults.append(f"{what}: the re-run ended with {ended.code}: {ended.said.strip()[-400:]}")
            return
        lost, more = crashes.differences(self.mart, self.expected)
        left = sorted(p.name for p in self.place.iterdir() if p.name not in _STAYS)
        tally.lost += lost
        tally.more += more
        tally.equal += not lost and not more
        if lost or more or left:
            tally.faults.append(f"{what}: {lost} lost, {more} too many, {left} left")

    def _kind(self, path: str) -> str | None:
        mart = str(self.mart)
        if path == str(self.place):
            return "folder"
        for folder, kind in ((".staging/", "staged"), (".audit/", "audit")):
            if path.startswith(mart + folder):
                return kind
        return _KINDS.get(path.removeprefix(mart))

    def _clear(self) -> None:
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir()


def _clean(ended: crashes.Ended) -> bool:
    """An error ends in exit 5 and one line, unless nothing came of it but a warning."""
    said = [line for line in ended.said.splitlines() if not line.startswith("WARNING ")]
    failed = ended.code == 5 and [line.startswith("clinmart: ") for line in said] == [True]
    return failed or (ended.code == 3 and not said)


def _must(ended: crashes.Ended, codes: tuple[int, ...]) -> None:
    if ended.code not in codes:
        raise SystemExit(f"torture: a load without a crash ended with {ended.code}: {ended.said}")


@contextmanager
def _disk(folder: Path, size: int) -> Iterator[Callable[[], None]]:
    """A tmpfs of so many bytes at ``folder``; what it gives makes it large. Raises PermissionError."""
    options = ["mount", "-t", "tmpfs", "-o", f"size={size}", "torture", str(folder)]
    if os.geteuid() or subprocess.run(options, stderr=subprocess.DEVNULL, check=False).returncode:
        raise PermissionError("mount")
    try:
        yield lambda: bool(subprocess.run(["mount", "-o", "remount,size=1g", str(folder)], check=True))
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _print(torture: Torture) -> bool:
    print(f"\n{'file':<10} {'call':<10} {'how':<10} crashes re-runs equal  lost doubled  exits")
    for (kind, call, how), tally in sorted(torture.tallies.items()):
        exits = ", ".join(f"{code}: {count}" for code, count in sorted(tally.exits.items()))
        numbers = f"{tally.crashes:>7} {tally.equal:>13} {tally.lost:>5} {tally.more:>7}"
        print(f"{kind:<10} {call:<10} {how:<10} {numbers}  {exits}")
    faults = [fault for tally in torture.tallies.values() for fault in tally.faults]
    print(*(f"FAULT {fault}" for fault in faults), sep="\n", file=sys.stderr)
    return not faults


def main() -> None:
    """Run all; exit 1 when any re-run differs or any error is not told as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="every k-th crash, in about two minutes")
    parser.add_argument("--only", default="", help="crashes whose name, e.g. 'log write kill', begins like this")
    told = parser.parse_args()
    began = time.monotonic()
    if shutil.which("strace") is None:
        print("torture: skipped, there is no strace here", file=sys.stderr)
        raise SystemExit(SKIPPED)
    crashes.ready()
    with tempfile.TemporaryDirectory(prefix="torture-") as name:
        folder = Path(name).resolve()
        torture = Torture(folder / "small", _SMALL)
        try:
            plan = torture.survey()
        except PermissionError as error:
            print(f"torture: skipped, {error}", file=sys.stderr)
            raise SystemExit(SKIPPED) from None
        plan = [crash for crash in plan if f"{crash.kind} {crash.call} {crash.how}".startswith(told.only)]
        step = max(1, len(plan) // _QUICK) if told.quick else 1
        chosen = plan[step // 2 :: step]
        print(
            f"{torture.rows:,} rows, a load of {torture.seconds:.1f} s, {len(chosen)} of {len(plan)} crashes",
            flush=True,
        )
        for number, crash in enumerate(chosen):
            torture.crash(crash)
            if number % 50 == 49:
                print(f"{number + 1} crashes, {time.monotonic() - began:.0f} s", flush=True)
        good = _print(torture)
        if not told.only:
            good &= _others(folder, torture, quick=told.quick)
    print(f"{'all equal' if good else 'NOT ALL EQUAL'}, in {time.monotonic() - began:.0f} s")
    raise SystemExit(0 if good else 1)


def _others(folder: Path, torture: Torture, *, quick: bool) -> bool:
    """Disks that are full, and kills at any moment of a longer load."""
    torture.tallies.clear()
    try:
        for size in [2**20 * 2, 2**20 * 5] if quick else [2**18 * size for size in range(1, 41)]:
            torture.fill(size)
    except PermissionError:
        print("full disks: skipped, this user may not mount one")
    longer = Torture(folder / "longer", _LONGER)
    print(f"{longer.rows:,} rows, a load of {longer.seconds:.1f} s, killed at any moment")
    chance = random.Random(11)
    for _ in range(2 if quick else 50):
        longer.kill(chance.uniform(0, longer.seconds))
    longer.tallies |= torture.tallies
    return _print(longer)


if __name__ == "__main__":
    main()
