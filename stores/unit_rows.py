"""The rows and deletes of a commit unit, table by table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import duckdb

from schemas.records import Counts, LoadReport
from schemas.staged import StagedTable, StagedUnit
from schemas.table import Table
from stores.audit.unit_versions import UnitVersions
from stores.ddl import RESOURCE_TABLE, Stored, contract, resource_contract
from stores.merge import merge
from stores.patches import merge_patches
from stores.step import Merge
from stores.stored import stored_columns


def merge_rows(
    connection: duckdb.DuckDBPyConnection,
    unit: StagedUnit,
    report: LoadReport,
    tables: Mapping[str, Table],
    versions: UnitVersions | None = None,
) -> dict[str, Counts]:
    """Merge what was staged of each table; what became of it by resource type. ``versions`` notes what is new."""
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
        if versions is not None:
            versions.take(connection, made)
        for kind, one in made.counts.items():
            counts.setdefault(kind, Counts()).add(one)
        for kind, pairs in made.conflicts.items():
            report.conflicts[kind] = report.conflicts.get(kind, 0) + pairs
    for table, came in sorted(patches.items()):
        step = _step(table, came, report, stored_columns(connection), tables)
        counts.setdefault(step.resource_type, Counts()).add(merge_patches(connection, step, tables[table]))
        if versions is not None:
            versions.take_patches(connection, step)
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
