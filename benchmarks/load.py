"""Load observations into an empty mart, against DuckDB alone making a table of the same columns; and again, from
receipts.

``python -m benchmarks.load [--observations N] [--rounds N] [--keep FOLDER]`` prints one table. Both read the same
file in the same run;
only the ratios mean anything on another machine. DuckDB alone writes the same columns of the mart, those of which the
file has nothing as nulls, but checks nothing, hashes nothing and keeps no digits, no history and no receipts.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from schemas.table import Element, Kind
from sources.synth import SynthPlan, write_synth

_SAMPLE_LINES = 20_000
_BARE = """
import sys, time, duckdb
connection = duckdb.connect(sys.argv[2])
connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false; SET enable_progress_bar = false")
began = time.perf_counter()
connection.execute(sys.argv[1])
connection.execute("CHECKPOINT")
print(time.perf_counter() - began, time.process_time())
"""


def bare_queries(file: Path) -> tuple[str, str]:
    """The columns of the mart as a person would write them by hand: typed, times and references taken apart by what
    SQL has for it, and null where the file has nothing for them; items of lists stay as they are read. And only what
    the file has, as it is read.
    """
    import polars as pl

    from schemas.tables import tables_by_type
    from transforms.decode.keys import KeyMemory
    from transforms.project import keys, projection

    table = tables_by_type()["Observation"]
    with file.open() as handle:
        lines = pl.Series([line for _, line in zip(range(_SAMPLE_LINES), handle, strict=False)])
    plan = projection(table, KeyMemory(keys(projection(table).shape)).present(lines))
    made = {"id": "id", "version_id": "version_id", "last_updated": "try_cast(last_updated AS TIMESTAMPTZ)"}
    for element in table.elements:
        made |= _by_hand(element, set(plan.names))
    lists = {c.name for e in table.elements if e.kind is Kind.ITEMS for c in e.columns} & made.keys()
    columns = [
        f'"{c.name}"' if c.name in lists else f'CAST({made.get(c.name, "NULL")} AS {c.dtype}) AS "{c.name}"'
        for c in table.columns()
    ]
    times = {r.name for e in table.elements if e.kind is Kind.TIME for r in e.reads} | {"last_updated"}
    raw = [f'try_cast("{n}" AS TIMESTAMPTZ) AS "{n}"' if n in times else f'"{n}"' for n in plan.names]
    create = "CREATE TABLE observation AS SELECT"
    source = f"FROM ({plan.query(str(file))})"
    return f"{create} {', '.join(columns)} {source}", f"{create} {', '.join(raw)} {source}"


def _by_hand(element: Element, raw: set[str]) -> dict[str, str]:
    """SQL for the columns of an element, from the raw columns that there are."""
    name = element.name
    made = {c.name: f'"{c.name}"' for c in element.columns if c.name in raw}
    if element.kind is Kind.TIME and name in raw:
        x, parts = f'"{name}"', ("year", "month", "day", "second")
        lengths = " ".join(f"WHEN {n} THEN '{part}'" for n, part in zip((4, 7, 10, 20), parts, strict=True))
        precise = f"WHEN len({x}) > 20 THEN 'fraction'"
        made = {
            f"{name}_at": f"CASE WHEN len({x}) > 10 THEN try_cast({x} AS TIMESTAMPTZ) END",
            f"{name}_date": f"try_cast(left({x}, 10) AS DATE)",
            f"{name}_precision": f"CASE {precise} ELSE CASE len({x}) {lengths} END END",
            f"{name}_offset": f"CASE WHEN suffix({x}, 'Z') THEN 0 ELSE try_cast({x}[-6:-4] AS INTEGER) * 60 END",
        }
    elif element.kind is Kind.REFERENCE and f"{name}~reference" in raw:
        x = f'"{name}~reference"'
        made |= {f"{name}_id": f"split_part({x}, '/', 2)", f"{name}_type": f"split_part({x}, '/', 1)"}
        made |= {c: f"split_part({x}, '/', 2)" for c in (element.patient, element.encounter) if c}
    elif f"{name}~coding" in raw & {read.name for read in element.reads}:
        parts = zip(("code", "system", "display"), element.columns, strict=False)
        made |= {column.name: f'"{name}~coding".{part}' for part, column in parts}
    return made


def load_once(file: Path, mart: Path) -> tuple[float, float, float]:
    """Seconds of a whole load as the user waits for it and of the processors, and its peak memory in MB."""
    command = [
        str(Path(sys.executable).with_name("clinmart")),
        "load",
        str(file),
        "--mart",
        str(mart),
        "--source",
        "b",
        "--json",
    ]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    report = json.loads(process.stdout.read())
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if status or report["status"] != "ok":
        raise SystemExit(f"the load failed: {report['status']}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--observations", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="folder to make the input in, and to find it in again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="clinmart-bench-") as scratch:
        folder = options.keep or Path(scratch) / "input"
        file = folder / "Observation.000.ndjson"
        if not file.exists():
            write_synth(
                SynthPlan(patients=2000, seed=3, types={"Observation"}, observations=options.observations), folder
            )
        queries, size = bare_queries(file), file.stat().st_size / 1e6
        bare: tuple[list[tuple[float, float]], list[tuple[float, float]]] = [], []
        first, second, memory = [], [], []
        for number in range(options.rounds):
            mart = Path(scratch) / f"mart{number}.duckdb"
            for query, taken in zip(queries, bare, strict=True):
                taken.append(_alone(query, Path(scratch) / "bare.duckdb"))
            *once, peak = load_once(file, mart)
            first.append((once[0], once[1]))
            memory.append(peak)
            second.append(load_once(file, mart)[0])
            mart.unlink()
    load, busy = (statistics.median(part) for part in zip(*first, strict=True))
    again = statistics.median(second)
    print(
        f"{size:,.0f} MB of observations, {options.rounds} rounds, medians; in brackets how many times as long "
        "clinmart takes; then the same in seconds of the processors"
    )
    for name, alone in zip(("DuckDB alone, columns of the mart", "DuckDB alone, only what is read"), bare, strict=True):
        told = []
        for part in range(2):
            ratios = [a[part] / b[part] for a, b in zip(first, alone, strict=True)]
            seconds = statistics.median(one[part] for one in alone)
            told.append(f"{seconds:6.1f} s  ({statistics.median(ratios):.2f}: {min(ratios):.2f} to {max(ratios):.2f})")
        print(f"{name:<34} {'  '.join(told)}")
    print(f"{'clinmart load':<34} {load:6.1f} s  {size / load:6.0f} MB/s  {busy:6.1f} s  peak {max(memory):,.0f} MB")
    print(f"{'the same files again':<34} {again:6.1f} s  {again / load:6.1%} of the first")


def _alone(query: str, database: Path) -> tuple[float, float]:
    """Seconds that DuckDB alone takes, as the user waits for it and of the processors."""
    command = [sys.executable, "-c", _BARE, query, str(database)]
    made = subprocess.run(command, capture_output=True, text=True, check=True)
    database.unlink()
    wall, busy = map(float, made.stdout.split())
    return wall, busy


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
