"""The one transaction: rows, history, quarantine, findings, watermarks and receipts of a commit unit."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from uuid import uuid4

import duckdb
import polars as pl

from schemas.bookkeeping import BOOKKEEPING
from schemas.dtypes import polars_dtype
from schemas.records import Counts, LoadReport, Receipt, StagedTable, StagedUnit
from schemas.table import Table
from stores.ddl import RESOURCE_TABLE, contract, resource_contract
from stores.merge import Merge, merge
from stores.sql import files, quoted, text
from stores.stored import stored_columns
from stores.views import fill_views

_ROW_GROUP = 122_880  # rows that DuckDB writes together


def commit(
    connection: duckdb.DuckDBPyConnection, unit: StagedUnit, report: LoadReport, tables: Mapping[str, Table]
) -> None:
    """Bring a staged unit into the mart and its counts into ``report``; all of it or nothing.

    ``tables`` are the models by name. Raises what DuckDB raises, after rolling back.
    """
    now = datetime.now(UTC)
    before = {name: replace(one) for name, one in report.resources.items()}
    views_before = dict(report.views)
    _spare_the_checkpoint(connection, unit)
    connection.execute("BEGIN TRANSACTION")
    try:
        counts = _rows(connection, unit, report, tables)
        by_type = {table.resource_type: name for name, table in tables.items()}
        fill_views(connection, unit, report.source, report.load_id, by_type)
        _refused(connection, unit, report, counts, now)
        _findings(connection, unit, report)
        _insert(connection, "unread", _unread(unit, report))
        commit_id = _numbered(connection, unit, report, now)
        _insert(connection, "receipt", _receipts(connection, unit, report, now, commit_id))
        _watermarks(connection, unit, report, tables, now)
        for name, one in counts.items():
            report.count(name).add(one)
        for name, lines in unit.views_refused.items():
            report.views[name] = report.views.get(name, 0) + lines
        save_load(connection, report, finished=None)
        connection.execute("COMMIT")
    except BaseException:
        report.resources, report.views = before, views_before
        connection.execute("ROLLBACK")
        raise


def save_load(connection: duckdb.DuckDBPyConnection, report: LoadReport, *, finished: datetime | None) -> None:
    """Write the load's own row, in place of an earlier one of the same load."""
    connection.execute("DELETE FROM etl.load WHERE load_id = ?", [report.load_id])
    row = {
        "load_id": report.load_id,
        "source": report.source,
        "started_at": report.started_at,
        "finished_at": finished,
        "as_of": report.as_of,
        "status": report.status if finished else "running",
        "bytes": report.bytes,
        "seconds": report.seconds,
        "resources": counts_rows(report.resources),
        "clinmart_version": version("clinmart"),
    }
    _insert(connection, "load", [row])


def counts_rows(resources: Mapping[str, Counts]) -> list[dict[str, object]]:
    """Counts by type as the LIST(STRUCT) that bookkeeping tables hold."""
    return [{"resource_type": name, **c.as_dict()} for name, c in sorted(resources.items())]


def _spare_the_checkpoint(connection: duckdb.DuckDBPyConnection, unit: StagedUnit) -> None:
    """After a large commit leave what the last row group of each thread lacks to a later one.

    To bring such rests together a checkpoint writes about a third of 500,000 rows anew, on one thread. A merge that
    deletes asks for its vacuum itself.
    """
    rows: Counter[str] = Counter()
    for staged in unit.tables:
        rows[staged.table] += staged.rows
    large = max(rows.values(), default=0) > _ROW_GROUP
    connection.execute("SET max_vacuum_tasks = 0" if large else "RESET max_vacuum_tasks")


def _rows(
    connection: duckdb.DuckDBPyConnection, unit: StagedUnit, report: LoadReport, tables: Mapping[str, Table]
) -> dict[str, Counts]:
    by_table: dict[str, list[StagedTable]] = defaultdict(list)
    for staged in unit.tables:
        by_table[staged.table].append(staged)
    stored = stored_columns(connection)
    counts: dict[str, Counts] = {}
    for table, came in sorted(by_table.items()):
        shown = resource_contract() if table == RESOURCE_TABLE else contract(tables[table])
        key = ("type", "id") if table == RESOURCE_TABLE else ("id",)
        paths, columns = [s.path for s in came], {name for staged in came for name in staged.columns}
        made = merge(connection, Merge(shown, stored, key, paths, columns, report.source, report.load_id))
        for kind, one in made.items():
            counts.setdefault(kind or tables[table].resource_type, Counts()).add(one)
    return counts


def _refused(
    connection: duckdb.DuckDBPyConnection,
    unit: StagedUnit,
    report: LoadReport,
    counts: dict[str, Counts],
    now: datetime,
) -> None:
    """Quarantine what was refused. The name of a refused line is its place and payload, so a re-run adds nothing."""
    for receipt in unit.receipts:
        for name, one in receipt.resources.items():
            refused = counts.setdefault(name, Counts())
            refused.quarantined += one.quarantined
            refused.read += one.quarantined
    if not unit.rejections:
        return
    columns = ", ".join(quoted(c.name) for c in BOOKKEEPING["quarantine"])
    connection.execute(
        f"INSERT INTO etl.quarantine ({columns}) SELECT quarantine_id, {text(report.load_id)}, {text(report.source)}, "
        "uri, line, byte_offset, resource_type, resource_id, reason, column_name, check_name, message, payload, "
        f"payload_bytes, {text(now.isoformat())}::TIMESTAMPTZ, 'open' FROM read_parquet({files(unit.rejections)}) r "
        "ANTI JOIN etl.quarantine q USING (quarantine_id)"
    )


def _findings(connection: duckdb.DuckDBPyConnection, unit: StagedUnit, report: LoadReport) -> None:
    if unit.findings:
        connection.execute(
            f"INSERT INTO etl.validation BY NAME SELECT {text(report.load_id)} AS load_id, "
            f"{text(report.source)} AS source, * FROM read_parquet({files(unit.findings)})"
        )


def _unread(unit: StagedUnit, report: LoadReport) -> list[dict[str, object]]:
    return [
        {
            "load_id": report.load_id,
            "source": report.source,
            "resource_type": kind,
            "path": path,
            "rows": rows,
            "sampled": unit.sampled.get(kind, 0),
        }
        for (kind, path), rows in sorted(unit.unread.items())
    ]


def _numbered(connection: duckdb.DuckDBPyConnection, unit: StagedUnit, report: LoadReport, now: datetime) -> str:
    """Give the commit a name and the next number."""
    ((number,),) = connection.execute("SELECT coalesce(max(number), 0) + 1 FROM etl.commit").fetchall()
    commit_id = uuid4().hex
    made = {
        "commit_id": commit_id,
        "number": number,
        "load_id": report.load_id,
        "source": report.source,
        "committed_at": now,
        "receipts": len(unit.receipts),
        "options": json.dumps(dict(report.options)),
    }
    _insert(connection, "commit", [made])
    return commit_id


def _receipts(
    connection: duckdb.DuckDBPyConnection, unit: StagedUnit, report: LoadReport, now: datetime, commit_id: str
) -> list[dict[str, object]]:
    """The unit's receipts, in place of earlier ones of the same bytes."""
    if not unit.receipts:
        return []
    new = ", ".join(f"({text(r.sha256.hex())}, {text(r.as_of.isoformat())}::TIMESTAMPTZ)" for r in unit.receipts)
    connection.execute(
        f"DELETE FROM etl.receipt r USING (VALUES {new}) n(sha256, as_of) "
        "WHERE r.source = ? AND r.sha256 = n.sha256 AND r.as_of <= n.as_of",
        [report.source],
    )
    return [_receipt(receipt, report, now) | {"commit_id": commit_id} for receipt in unit.receipts]


def _receipt(receipt: Receipt, report: LoadReport, now: datetime) -> dict[str, object]:
    return {
        "source": report.source,
        "sha256": receipt.sha256.hex(),
        "size": receipt.partition.size,
        "uri": receipt.partition.uri,
        "range_start": receipt.partition.start,
        "as_of": receipt.as_of,
        "as_of_given": receipt.as_of_given,
        "lines": receipt.lines,
        "load_id": report.load_id,
        "committed_at": now,
        "resources": counts_rows(receipt.resources),
    }


def _watermarks(
    connection: duckdb.DuckDBPyConnection,
    unit: StagedUnit,
    report: LoadReport,
    tables: Mapping[str, Table],
    now: datetime,
) -> None:
    """Move the event watermark of each type that came in; it never goes back."""
    latest: dict[str, datetime] = {}
    for staged in unit.tables:
        for name, seen in staged.latest.items():
            kind = name or tables[staged.table].resource_type
            latest[kind] = max(seen, latest.get(kind, seen))
    if not latest:
        return
    rows = ", ".join(f"({text(kind)}, {text(seen.isoformat())}::TIMESTAMPTZ)" for kind, seen in sorted(latest.items()))
    connection.execute(
        f"""MERGE INTO etl.watermark w USING (SELECT ? AS source, * FROM (VALUES {rows}) v(resource_type, seen)) s
        ON w.source = s.source AND w.resource_type = s.resource_type
        WHEN MATCHED THEN UPDATE SET event_watermark = greatest(w.event_watermark, s.seen), updated_at = ?
        WHEN NOT MATCHED THEN INSERT (source, resource_type, event_watermark, updated_at)
            VALUES (s.source, s.resource_type, s.seen, ?)""",
        [report.source, now, now],
    )


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert records into a table of ``etl``, typed by its columns."""
    if not rows:
        return
    columns = BOOKKEEPING[table]
    schema = {c.name: polars_dtype(c.dtype) for c in columns}
    frame = pl.DataFrame(rows, schema=schema)
    connection.register("~rows", frame.to_arrow())
    try:
        connection.execute(f'INSERT INTO etl.{quoted(table)} BY NAME SELECT * FROM "~rows"')
    finally:
        connection.unregister("~rows")
