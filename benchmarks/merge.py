"""Bring 100,000 new versions into marts of 1 and of 10 million observations, against DuckDB's bare MERGE INTO.

``python -m benchmarks.merge [--changed N] [--sizes N ...] [--rounds N] [--keep FOLDER]`` prints one table. The mart is
a real load of 100,000 synthetic observations, multiplied by SQL. Both take the same Parquet file of rows, chosen at
random, into equal tables in files of their own, and both end with the file closed. The bare MERGE overwrites; clinmart
keeps what was there in history, judges by K and keeps its books. Only the ratios mean anything on another machine.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from benchmarks.load import load_once
from schemas.records import Counts, LoadReport, Partition, Receipt
from schemas.staged import StagedTable, StagedUnit
from schemas.tables import all_tables
from sources.synth import SynthPlan, write_synth
from stores.commit import commit
from stores.mart import Mart
from stores.step import STAGE_ROW

_BASE = 100_000
_HASH = "unhex(md5({0}) || md5(reverse({0})))"
_SETTINGS = "SET TimeZone = 'UTC'; SET preserve_insertion_order = false; SET enable_progress_bar = false; "
_LIMIT = (
    "SET memory_limit = '4GB'"  # with the 850 MB that clinmart has, DuckDB's MERGE into 10 million runs out of memory
)


def make_mart(folder: Path, rows: int) -> Path:
    """A mart of this many observations, made once."""
    mart, base = folder / f"mart-{rows}.duckdb", folder / "base.duckdb"
    if mart.exists():
        return mart
    if not base.exists():
        plan = SynthPlan(patients=500, seed=3, types={"Observation"}, observations=_BASE)
        write_synth(plan, folder / "input")
        load_once(folder / "input" / "Observation.000.ndjson", base)
    making = mart.with_suffix(".making")
    shutil.copy(base, making)
    with duckdb.connect(str(making)) as connection:
        connection.execute(_SETTINGS + _LIMIT)
        connection.execute("CREATE TEMP TABLE base AS FROM stored.observation")
        for turn in range(1, rows // _BASE):
            new = f"id || '-{turn}'"
            connection.execute(
                f"INSERT INTO stored.observation SELECT * REPLACE ({new} AS id, {_HASH.format(new)} AS content_hash) "
                "FROM base"
            )
    making.rename(mart)
    return mart


def make_changes(mart: Path, changed: int) -> Path:
    """New versions of rows chosen at random, as a worker stages them."""
    path = mart.with_suffix(f".{changed}.parquet")
    if not path.exists():
        version = _HASH.format("id || '/2'")
        with duckdb.connect(str(mart), read_only=True) as connection:
            connection.execute(_SETTINGS)
            connection.execute(
                f"COPY (SELECT * EXCLUDE (source, load_id) REPLACE ('2' AS version_id, {version} AS content_hash, "
                f'last_updated + INTERVAL 1 DAY AS last_updated), row_number() OVER () AS "{STAGE_ROW}" '
                f"FROM (FROM stored.observation USING SAMPLE {changed} ROWS (reservoir, 7))) "
                f"TO '{path}' (FORMAT parquet, COMPRESSION lz4)"
            )
    return path


def ours(mart: Path, changes: Path, changed: int) -> float:
    """Seconds of the commit of the changes."""
    now = datetime.now(UTC)
    with duckdb.connect() as connection:
        columns = [row[0] for row in connection.execute(f"DESCRIBE FROM '{changes}'").fetchall()]
    columns.remove(STAGE_ROW)
    receipt = Receipt(Partition("changes", size=1), b"x" * 32, changed, now, False, {"Observation": Counts(changed)})
    unit = StagedUnit([StagedTable("observation", str(changes), changed, tuple(columns))], receipts=[receipt])
    report = LoadReport("bench", "b", now, now)
    tables = {table.name: table for table in all_tables()}
    began = time.perf_counter()
    with Mart(mart, memory="850MB").connect() as connection:
        commit(connection, unit, report, tables)
    seconds = time.perf_counter() - began
    if report.total().applied != changed:
        raise SystemExit(f"{report.total()} of {changed} changes")
    return seconds


def bare(mart: Path, changes: Path) -> float:
    """Seconds of a MERGE INTO that overwrites."""
    began = time.perf_counter()
    with duckdb.connect(str(mart)) as connection:
        connection.execute(_SETTINGS + _LIMIT)
        staged = f"(SELECT 'b' AS source, 'bench' AS load_id, * EXCLUDE (\"{STAGE_ROW}\") FROM '{changes}')"
        columns = connection.execute(f"DESCRIBE FROM {staged}").fetchall()
        every = ", ".join(f'"{name}" = s."{name}"' for name, *_ in columns if name not in ("source", "id"))
        connection.execute(
            f"MERGE INTO stored.observation t USING {staged} s ON t.source = s.source AND t.id = s.id "
            f"WHEN MATCHED THEN UPDATE SET {every} WHEN NOT MATCHED THEN INSERT BY NAME"
        )
    return time.perf_counter() - began


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changed", type=int, default=100_000)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="folder to make the marts in, and to find them in again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="clinmart-bench-") as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(exist_ok=True)
        copy = folder / "copy.duckdb"
        print(f"{options.changed:,} new versions, {options.rounds} rounds, the fastest of each")
        fastest = []
        for size in options.sizes:
            mart = make_mart(folder, size)
            changes = make_changes(mart, options.changed)
            taken: tuple[list[float], list[float]] = [], []
            for _ in range(options.rounds):
                shutil.copy(mart, copy)
                taken[0].append(bare(copy, changes))
                shutil.copy(mart, copy)
                taken[1].append(ours(copy, changes, options.changed))
            copy.unlink()
            alone, merged = map(min, taken)
            middle = statistics.median(b / a for a, b in zip(*taken, strict=True))
            fastest.append(merged)
            print(f"into {size:>12,}: MERGE INTO {alone:6.2f} s, clinmart {merged:6.2f} s, {middle:.2f} times as long")
        if len(fastest) > 1:
            print(
                f"from {options.sizes[0]:,} to {options.sizes[-1]:,} rows: {fastest[-1] / fastest[0]:.1f} times as long"
            )


if __name__ == "__main__":
    main()
