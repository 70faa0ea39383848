"""A lab's CSV by the worked mapping, from file to mart: MB/s per CPU-second, and memory.

``python -m benchmarks.extracts [--rows N] [--rounds N]`` prints one table. The rows are those of the generator's
``lab_results.csv``, each with an accession of its own. ``net`` leaves out what a load of one row takes; ``bare`` is
what DuckDB alone takes to write the same file as texts into a table of a new database.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from sources.synth import SynthPlan, write_extracts

_MAPPING = Path(__file__).parents[1] / "data" / "mappings" / "lab.yaml"
_BARE = """
import sys, duckdb
con = duckdb.connect(sys.argv[2], config={"threads": 1})
con.execute("CREATE TABLE lab AS SELECT * FROM read_csv(?, all_varchar=true, header=true)", [sys.argv[1]])
con.close()
"""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        large, small = folder / "lab_results_large.csv", folder / "lab_results_small.csv"
        write(large, given.rows)
        write(small, 1)
        size = large.stat().st_size / 1e6
        runs = [(bare(large, folder), load(small, folder), load(large, folder)) for _ in range(given.rounds)]
    heads = ("MB", "rows", "wall s", "CPU s", "MB/CPU s", "net MB/CPU s", "rows/CPU s", "memory MB", "bare CPU s")
    print("  ".join(f"{head:>12}" for head in heads))
    for (_, alone, _), (_, idle, _), (wall, cpu, peak) in runs:
        row = (size, given.rows, wall, cpu, size / cpu, size / (cpu - idle), given.rows / cpu, peak, alone)
        print("  ".join(f"{number:>12,.1f}" if number < 1000 else f"{number:>12,.0f}" for number in row))


def write(path: Path, rows: int) -> None:
    """The generator's lab results again and again, each with an accession of its own; in ASCII, for DuckDB's sake."""
    with tempfile.TemporaryDirectory() as name:
        write_extracts(SynthPlan(patients=50), Path(name) / "x")
        lines = (Path(name) / "x" / "lab_results.csv").read_bytes().decode("cp1252").encode("ascii", "replace")
    header, *many = lines.splitlines(keepends=True)
    ends = [line.partition(b",")[2] for line in many]
    with path.open("wb") as file:
        file.write(header)
        for at in range(rows):
            file.write(b"B%08d," % at + ends[at % len(ends)])


def load(path: Path, folder: Path) -> tuple[float, float, float]:
    """Wall and CPU seconds of a load by one worker into a new mart, and its peak in MB."""
    mart = folder / "mart.duckdb"
    mart.unlink(missing_ok=True)
    told = ["--format", "extract", "--mapping", str(_MAPPING), "--mart", str(mart), "--source", "bench", "--jobs", "1"]
    return _measured(["-c", "from flows.cli.main import main; main()", "load", str(path), *told, "--json"])


def bare(path: Path, folder: Path) -> tuple[float, float, float]:
    """The same of DuckDB alone."""
    (folder / "bare.duckdb").unlink(missing_ok=True)
    return _measured(["-c", _BARE, str(path), str(folder / "bare.duckdb")])


def _measured(arguments: list[str]) -> tuple[float, float, float]:
    began = time.perf_counter()
    pid = os.posix_spawn(sys.executable, [sys.executable, *arguments], os.environ, file_actions=_QUIET)
    _, status, usage = os.wait4(pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit("the load failed")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


_QUIET = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]

if __name__ == "__main__":
    main()
