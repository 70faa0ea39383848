"""Load observations into an empty mart, against DuckDB alone making a table of the same columns; and again, from
receipts.

``python -m benchmarks.load [--observations N] [--rounds N] [--keep FOLDER]`` prints one table. Both read the same
file in the same run;
only the ratios mean anything on another machine. DuckDB alone checks nothing, keeps no digits, no history and no
receipts.
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

from sources.synth import SynthPlan, write_synth

_SAMPLE_LINES = 20_000
_BARE = """
import sys, time, duckdb
connection = duckdb.connect(sys.argv[2])
connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false; SET enable_progress_bar = false")
began = time.perf_counter()
connection.execute(sys.argv[1])
connection.execute("CHECKPOINT")
print(time.perf_counter() - began)
"""


def bare_query(file: Path) -> str:
    """What a person would write by hand: the columns for which the file has data, with times and numbers typed."""
    import polars as pl

    from schemas.table import Kind
    from schemas.tables import tables_by_type
    from transforms.decode.keys import KeyMemory
    from transforms.project import keys, projection

    table = tables_by_type()["Observation"]
    with file.open() as handle:
        lines = pl.Series([line for _, line in zip(range(_SAMPLE_LINES), handle, strict=False)])
    plan = projection(table, KeyMemory(keys(projection(table).shape)).present(lines))
    times = {r.name for e in table.elements if e.kind is Kind.TIME for r in e.reads} | {"last_updated"}
    typed = ", ".join(
        f'try_cast("{name}" AS TIMESTAMPTZ) AS "{name}"' if name in times else f'"{name}"' for name in plan.names
    )
    return f"CREATE TABLE observation AS SELECT {typed} FROM ({plan.query(str(file))})"


def load_once(file: Path, mart: Path) -> tuple[float, float]:
    """Seconds of a whole load as the user waits for it, and its peak memory in MB."""
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
    return seconds, usage.ru_maxrss / 1024


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
        query, size = bare_query(file), file.stat().st_size / 1e6
        bare, first, second, memory = [], [], [], []
        for number in range(options.rounds):
            database, mart = Path(scratch) / f"bare{number}.duckdb", Path(scratch) / f"mart{number}.duckdb"
            made = subprocess.run(
                [sys.executable, "-c", _BARE, query, str(database)], capture_output=True, text=True, check=True
            )
            bare.append(float(made.stdout))
            seconds, peak = load_once(file, mart)
            first.append(seconds)
            memory.append(peak)
            second.append(load_once(file, mart)[0])
            database.unlink()
            mart.unlink()
        ratios = [a / b for a, b in zip(first, bare, strict=True)]
        again = statistics.median(second) / statistics.median(first)
        print(f"{size:,.0f} MB of observations, {options.rounds} rounds, medians")
        print(f"DuckDB alone          {statistics.median(bare):6.1f} s  {size / statistics.median(bare):6.0f} MB/s")
        print(
            f"clinmart load         {statistics.median(first):6.1f} s  {size / statistics.median(first):6.0f} MB/s  "
            f"peak {max(memory):,.0f} MB"
        )
        print(f"ratio                 {statistics.median(ratios):6.2f}    ({min(ratios):.2f} to {max(ratios):.2f})")
        print(f"the same files again  {statistics.median(second):6.1f} s  {again:6.1%} of the first")


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
