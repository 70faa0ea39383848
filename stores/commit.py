"""The one transaction: rows, history, quarantine, findings, watermarks and receipts of a commit unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from schemas.crosswalk import Crosswalk
from schemas.records import Counts, LoadReport, total_of
from schemas.staged import StagedUnit
from schemas.table import Table
from stores.audit.trail import Written
from stores.audit.unit_versions import UnitVersions
from stores.audit.versions import Anchor
from stores.beside_rows import keep_findings, keep_parts, keep_unread
from stores.codes import save_codes
from stores.commits import number_commit
from stores.consumed import save_consumed
from stores.load_row import save_load
from stores.mappings import save_mapping
from stores.messages import accept_messages, drop_payloads, settle_messages
from stores.refused import keep_refused, settle_replaced
from stores.replays import settle
from stores.staged_files import Verified
from stores.unit_receipts import save_receipts
from stores.unit_rows import merge_rows
from stores.views import fill_views
from stores.watermarks import move_watermarks

_ROW_GROUP = 122_880  # rows that DuckDB writes together
_COUNTED = ("resources", "inputs", "views", "conflicts", "late", "unrouted")  # of a report, that a commit moves


@dataclass(frozen=True, slots=True)
class CommitMade:
    """A commit that was made: its name and number in the mart, and what became of its lines by resource type."""

    commit_id: str
    number: int
    committed_at: datetime
    counts: Mapping[str, Counts]
    versions: Sequence[Anchor]  # none without an audit record


def commit(
    connection: duckdb.DuckDBPyConnection,
    unit: StagedUnit,
    report: LoadReport,
    tables: Mapping[str, Table],
    crosswalk: Crosswalk | None = None,
    verified: Verified | None = None,
    intent: Written | None = None,
    versions: UnitVersions | None = None,
) -> CommitMade:
    """Bring a staged unit into the mart and its counts into ``report``; all of it or nothing.

    ``tables`` are the models by name; ``crosswalk`` is what mapped codes; ``verified`` are the unit's files as they
    were when they were verified; ``intent`` is the audit record that tells of this commit, and ``versions`` notes which
    versions it brought in. Raises what DuckDB raises, and IntegrityError when one of the files was altered since;
    both after rolling back.
    """
    now = datetime.now(UTC)
    before = deepcopy({name: getattr(report, name) for name in _COUNTED})
    _spare_the_checkpoint(connection, unit)
    connection.execute("BEGIN TRANSACTION")
    try:
        counts = _take_rows(connection, unit, report, tables, now, versions)
        _take_rest(connection, unit, report, crosswalk, now)
        if versions is not None:
            versions.anchor_anew(connection)
        anchors = versions.anchors if versions is not None else ()
        commit_id, number = number_commit(connection, report, now, len(unit.receipts), intent, anchors)
        save_receipts(connection, unit, report, now, commit_id)
        move_watermarks(connection, report.source, unit.latest, now)
        _count(unit, report, counts)
        save_load(connection, report, finished=None)
        if verified is not None:
            verified.must_hold()  # all was read, so what was read is what was verified
        connection.execute("COMMIT")
    except BaseException:
        for name, value in before.items():
            setattr(report, name, value)
        connection.execute("ROLLBACK")
        raise
    return CommitMade(commit_id, number, now, counts, anchors)


def _take_rows(
    connection: duckdb.DuckDBPyConnection,
    unit: StagedUnit,
    report: LoadReport,
    tables: Mapping[str, Table],
    now: datetime,
    versions: UnitVersions | None,
) -> dict[str, Counts]:
    """What became of each line: rows, history and quarantine."""
    counts = merge_rows(connection, unit, report, tables, versions)
    by_type = {table.resource_type: name for name, table in tables.items()}
    fill_views(connection, unit, report.source, report.load_id, by_type)
    keep_refused(connection, unit, report, counts, now)
    settle(connection, unit.attempts, report.load_id, now)
    if unit.attempts:
        accept_messages(connection, report.source)
    if unit.heard is not None:
        settle_messages(connection, report, unit.heard, unit.rejections, now)
        drop_payloads(connection, report.source, unit.erased)
    save_consumed(connection, unit.consumed, report, now)
    if unit.replaces is not None:
        settle_replaced(connection, unit.replaces, report, counts, now)
    return counts


def _take_rest(
    connection: duckdb.DuckDBPyConnection,
    unit: StagedUnit,
    report: LoadReport,
    crosswalk: Crosswalk | None,
    now: datetime,
) -> None:
    """What is told of the lines beside their rows."""
    keep_findings(connection, unit, report)
    keep_unread(connection, unit, report)
    keep_parts(connection, unit, report)
    if unit.mapping is not None:
        save_mapping(connection, unit.mapping, report.source, report.load_id, now)
    save_codes(connection, unit, report, crosswalk)


def _count(unit: StagedUnit, report: LoadReport, counts: Mapping[str, Counts]) -> None:
    """Bring the counts of a unit into the report."""
    for name, one in counts.items():
        report.count(name).add(one)
    for name, one in total_of([*(receipt.inputs for receipt in unit.receipts), unit.inputs]).items():
        report.inputs.setdefault(name, Counts()).add(one)
    report.unrouted += sum(receipt.unrouted for receipt in unit.receipts) + unit.unrouted
    for kind, rows in unit.late.items():
        report.late[kind] = report.late.get(kind, 0) + rows
    for name, lines in unit.views_refused.items():
        report.views[name] = report.views.get(name, 0) + lines


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
