"""The one transaction: rows, history, quarantine, findings, watermarks and receipts of a commit unit."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version

import duckdb
import polars as pl

from schemas.bookkeeping import BOOKKEEPING, SECTION_TABLE, SEGMENT_TABLE
from schemas.crosswalk import Crosswalk
from schemas.dtypes import polars_dtype
from schemas.errors import UsageError
from schemas.reasons import Reason
from schemas.records import VIEW_CHECK, Counts, LoadReport, Receipt, total_of
from schemas.staged import StagedTable, StagedUnit
from schemas.table import Table
from stores.codes import save_codes
from stores.commits import number_commit
from stores.consumed import save_consumed
from stores.ddl import RESOURCE_TABLE, Stored, contract, resource_contract
from stores.mappings import save_mapping
from stores.merge import merge
from stores.messages import accept_messages, settle_messages
from stores.patches import merge_patches
from stores.quarantine import STANDING
from stores.replays import replace_line, settle
from stores.sql import files, quoted, text
from stores.step import Merge
from stores.stored import stored_columns
from stores.views import fill_views
from stores.watermarks import move_watermarks

_ROW_GROUP = 122_880  # rows that DuckDB writes together


def commit(
    connection: duckdb.DuckDBPyConnection,
    unit: StagedUnit,
    report: LoadReport,
    tables: Mapping[str, Table],
    crosswalk: Crosswalk | None = None,
) -> None:
    """Bring a staged unit into the mart and its counts into ``report``; all of it or nothing.

    ``tables`` are the models by name; ``crosswalk`` is what mapped codes. Raises what DuckDB raises, after rolling
    back.
    """
    now = datetime.now(UTC)
    before = {name: replace(one) for name, one in report.resources.items()}
    inputs = {name: replace(one) for name, one in report.inputs.items()}
    others_before = dict(report.views), dict(report.conflicts), dict(report.late), report.unrouted
    _spare_the_checkpoint(connection, unit)
    connection.execute("BEGIN TRANSACTION")
    try:
        counts = _rows(connection, unit, report, tables)
        by_type = {table.resource_type: name for name, table in tables.items()}
        fill_views(connection, unit, report.source, report.load_id, by_type)
        _refused(connection, unit, report, counts, now)
        settle(connection, unit.attempts, report.load_id, now)
        if unit.attempts:
            accept_messages(connection, report.source)
        if unit.heard is not None:
            settle_messages(connection, report, unit.heard, unit.rejections, now)
        save_consumed(connection, unit.consumed, report, now)
        if unit.replaces is not None:
            _replaced(connection, unit.replaces, report, counts, now)
        _findings(connection, unit, report)
        _insert(connection, "unread", _unread(unit, report))
        _kept(connection, unit, report)
        if unit.mapping is not None:
            save_mapping(connection, unit.mapping, report.source, report.load_id, now)
        save_codes(connection, unit, report, crosswalk)
        commit_id = number_commit(connection, report, now, len(unit.receipts))
        _insert(connection, "receipt", _receipts(connection, unit, report, now, commit_id))
        move_watermarks(connection, report.source, unit.latest, now)
        for name, one in counts.items():
            report.count(name).add(one)
        for name, one in total_of([*(receipt.inputs for receipt in unit.receipts), unit.inputs]).items():
            report.inputs.setdefault(name, Counts()).add(one)
        report.unrouted += sum(receipt.unrouted for receipt in unit.receipts) + unit.unrouted
        for kind, rows in unit.late.items():
            report.late[kind] = report.late.get(kind, 0) + rows
        for name, lines in unit.views_refused.items():
            report.views[name] = report.views.get(name, 0) + lines
        save_load(connection, report, finished=None)
        connection.execute("COMMIT")
    except BaseException:
        report.resources, report.inputs = before, inputs
        report.views, report.conflicts, report.late, report.unrouted = others_before
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
        "inputs": counts_rows(report.inputs),
        "unrouted": report.unrouted,
        "late": [{"resource_type": kind, "rows": rows} for kind, rows in sorted(report.late.items())],
        "clinmart_version": version("clinmart"),
        "kind": report.kind,
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
    patches: dict[str, list[StagedTable]] = defaultdict(list)
    for staged in unit.tables:
        (patches if staged.patches else by_table)[staged.table].append(staged)
    deleted = _deleted_types(unit, tables)
    stored = stored_columns(connection)
    counts: dict[str, Counts] = {}
    for table in sorted(by_table.keys() | deleted.keys()):
        deletes = [s.path for s in unit.deletes]
        step = _step(table, by_table[table], report, stored, tables, deletes, deleted.get(table, set()))
        made = merge(connection, step)
        for kind, one in made.counts.items():
            counts.setdefault(kind, Counts()).add(one)
        for kind, pairs in made.conflicts.items():
            report.conflicts[kind] = report.conflicts.get(kind, 0) + pairs
    for table, came in sorted(patches.items()):
        step = _step(table, came, report, stored_columns(connection), tables)
        counts.setdefault(step.resource_type, Counts()).add(merge_patches(connection, step, tables[table]))
    return counts


def _step(
    table: str,
    came: Sequence[StagedTable],
    report: LoadReport,
    stored: Stored,
    tables: Mapping[str, Table],
    deletes: Sequence[str] = (),
    deleted: Collection[str] = (),
) -> Merge:
    whole = table == RESOURCE_TABLE
    return Merge(
        shown=resource_contract() if whole else contract(tables[table]),
        stored=stored,
        key=("type", "id") if whole else ("id",),
        paths=[s.path for s in came],
        rows=sum(s.rows for s in came),
        columns={name for staged in came for name in staged.columns},
        source=report.source,
        load_id=report.load_id,
        resource_type="" if whole else tables[table].resource_type,
        deletes=deletes,
        deleted=deleted,
        json=("json",) if whole else tables[table].json_columns(),
        repeated=sum(s.repeated for s in came),
    )


def _deleted_types(unit: StagedUnit, tables: Mapping[str, Table]) -> dict[str, set[str]]:
    """The types of which there are deletes, by the table that has their rows."""
    by_type = {table.resource_type: name for name, table in tables.items()}
    found: dict[str, set[str]] = defaultdict(set)
    for staged in unit.deletes:
        for kind in staged.types:
            found[by_type.get(kind, RESOURCE_TABLE)].add(kind)
    return found


def _refused(
    connection: duckdb.DuckDBPyConnection,
    unit: StagedUnit,
    report: LoadReport,
    counts: dict[str, Counts],
    now: datetime,
) -> None:
    """Quarantine what was refused. The name of a refused line is its place and payload, so a re-run adds nothing."""
    for resources in (*(receipt.resources for receipt in unit.receipts), unit.refused_again):
        for name, one in resources.items():
            refused = counts.setdefault(name, Counts())
            refused.quarantined += one.quarantined
            refused.suppressed += one.suppressed
            refused.read += one.quarantined + one.suppressed
    if unit.replayed:
        connection.execute(
            f"UPDATE etl.quarantine SET state = 'replayed' WHERE source = ? AND reason = '{Reason.LATE}' "
            "AND state = 'open' AND uri IN (SELECT unnest(?))",
            [report.source, sorted(set(unit.replayed))],
        )
    if unit.remapped:
        _remapped(connection, unit, report, now)
    if not unit.rejections:
        return
    came = f"read_parquet({files(unit.rejections)})"
    connection.execute(
        f"UPDATE etl.quarantine q SET as_of = r.as_of FROM (SELECT quarantine_id, max(as_of) AS as_of FROM {came} "
        "GROUP BY 1) r WHERE q.quarantine_id = r.quarantine_id AND (q.as_of IS NULL OR q.as_of < r.as_of)"
    )
    connection.execute(
        f"INSERT INTO etl.quarantine BY NAME SELECT {text(report.load_id)} AS load_id, "
        f"{text(report.source)} AS source, * , {text(now.isoformat())}::TIMESTAMPTZ AS quarantined_at, "
        f"'open' AS state FROM {came} r ANTI JOIN etl.quarantine q USING (quarantine_id)"
    )


def _remapped(connection: duckdb.DuckDBPyConnection, unit: StagedUnit, report: LoadReport, now: datetime) -> None:
    """Lines of files that are read by another mapping: those that it takes leave the quarantine, those that it refuses,
    though one before it took them, stand in it again.
    """
    came = f"(SELECT quarantine_id FROM read_parquet({files(unit.rejections)}))"
    of_files = "source = $source AND uri IN (SELECT unnest($uris))"
    told = {"source": report.source, "uris": sorted(set(unit.remapped))}
    if unit.rejections:
        connection.execute(
            "UPDATE etl.quarantine SET state = 'open', settled_by = NULL, settled_at = NULL "
            f"WHERE {of_files} AND state = 'replayed' AND quarantine_id IN {came}",
            told,
        )
    left = f" AND quarantine_id NOT IN {came}" if unit.rejections else ""
    connection.execute(
        f"UPDATE etl.quarantine SET state = 'replayed', settled_by = $load, settled_at = $now WHERE {of_files} "
        f"AND state IN {STANDING}{left}",
        told | {"load": report.load_id, "now": now},
    )


def _findings(connection: duckdb.DuckDBPyConnection, unit: StagedUnit, report: LoadReport) -> None:
    """What was found; what is only counted is one row for the whole unit."""
    if unit.findings:
        found = f"SELECT * FROM read_parquet({files(unit.findings)})"
        one_by_one, counted = f"{found} WHERE rows IS NULL", f"{found} WHERE rows IS NOT NULL"
        connection.execute(
            f"INSERT INTO etl.validation BY NAME SELECT {text(report.load_id)} AS load_id, "
            f"{text(report.source)} AS source, * FROM ({one_by_one} UNION ALL "
            f"SELECT * REPLACE (sum(rows) AS rows) FROM ({counted}) GROUP BY ALL)"
        )


def _kept(connection: duckdb.DuckDBPyConnection, unit: StagedUnit, report: LoadReport) -> None:
    """Keep what no table reads of messages and documents; what came before is there."""
    for table, paths, whole in (
        (SEGMENT_TABLE, unit.segments, "message_hash"),
        (SECTION_TABLE, unit.sections, "document_hash"),
    ):
        if paths:
            connection.execute(
                f"INSERT INTO main.{table} BY NAME SELECT DISTINCT ON ({whole}, ordinal) "
                f"{text(report.source)} AS source, {text(report.load_id)} AS load_id, * "
                f"FROM read_parquet({files(paths)}) s ANTI JOIN "
                f"(SELECT {whole}, ordinal FROM main.{table} WHERE source = {text(report.source)}) k "
                f"USING ({whole}, ordinal)"
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
    refused = _refused_lines(connection, unit)
    return [
        _receipt(receipt, report, now) | {"refused": refused.get(n), "commit_id": commit_id}
        for n, receipt in enumerate(unit.receipts)
    ]


def _refused_lines(connection: duckdb.DuckDBPyConnection, unit: StagedUnit) -> dict[int, list[str]]:
    """The names of the lines of each partition that were refused, but for those that only a view refused."""
    if not unit.rejections:
        return {}
    places = ", ".join(f"({n}, {text(r.partition.uri)}, {r.partition.start})" for n, r in enumerate(unit.receipts))
    return dict(
        connection.execute(
            f"SELECT p.n, list(r.quarantine_id ORDER BY r.quarantine_id) FROM read_parquet({files(unit.rejections)}) r "
            f"ASOF JOIN (VALUES {places}) p(n, uri, start) ON r.uri = p.uri AND r.byte_offset >= p.start "
            f"WHERE NOT starts_with(coalesce(r.check_name, ''), '{VIEW_CHECK}') GROUP BY 1"
        ).fetchall()
    )


def _replaced(
    connection: duckdb.DuckDBPyConnection,
    quarantine_id: str,
    report: LoadReport,
    counts: Mapping[str, Counts],
    now: datetime,
) -> None:
    """Settle a quarantined line by the one that was loaded for it, if that was accepted.

    Raises UsageError when another number of lines was loaded: then it cannot be told which one it is.
    """
    read = sum(one.read for one in counts.values())
    if read != 1:
        raise UsageError(
            f"--replaces takes one corrected line, and there are {read} to load: give a file with it alone"
        )
    if not sum(one.quarantined for one in counts.values()):
        replace_line(connection, quarantine_id, report.load_id, now)


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
        "held": receipt.held,
        "load_id": report.load_id,
        "committed_at": now,
        "resources": counts_rows(receipt.resources),
        "inputs": counts_rows(receipt.inputs),
        "unrouted": receipt.unrouted,
        "routes": receipt.routes,
        "mapping": receipt.mapping,
    }


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
