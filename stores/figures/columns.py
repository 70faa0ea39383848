"""Tables and columns: rows, how full they are, which codes they hold, by month, and what differs in the last load."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from schemas.table import Column, Kind, Table
from stores.figures.records import CodeMix, ColumnFigures, Drift, Months, TableFigures
from stores.sql import quoted, text

_CODES = 8  # of a column that are told by name
_MONTHS = 120
_FEWEST = 30  # rows before and now, for a drift to be told
_LEAST_Z = 4.0  # standard errors
_LEAST_DIFFERENCE = 0.05  # of a share

# Times that say when something happened to a patient, the first that a table has.
_WHEN = (
    "effective", "performed", "occurrence", "starts", "period_start", "onset", "authored", "when_handed_over",
    "recorded", "issued", "date", "started", "start", "billable_period_start", "created", "collected",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Split:
    """A table's rows of the last load of each source that has earlier rows too, against those."""

    last: Mapping[str, str]  # source -> load_id

    @property
    def sql(self) -> str:
        """True of the last load's rows, false of the rows before, null of sources that are not compared."""
        if not self.last:
            return "NULL::BOOLEAN"
        cases = " ".join(f"WHEN {text(source)} THEN load_id = {text(load)}" for source, load in self.last.items())
        return f"CASE source {cases} END"


def last_loads(connection: duckdb.DuckDBPyConnection) -> Split:
    """The last load of each source that had loads before it."""
    found = connection.execute(
        "SELECT source, arg_max(load_id, started_at) FROM etl.load WHERE list_sum(list_transform(resources, "
        "lambda r: r.applied)) > 0 GROUP BY source HAVING count(*) > 1"
    ).fetchall()
    return Split(dict(found))


def table_figures(
    connection: duckdb.DuckDBPyConnection, table: Table, earlier: int, split: Split
) -> tuple[TableFigures, list[Drift]]:
    """A table with its columns, and how those of the last load differ. One pass for filled columns, one for codes."""
    columns = [column for column in table.columns() if column.name != "content_hash"]
    counts = ", ".join(f"count({quoted(column.name)})" for column in columns)
    found = connection.execute(
        f"SELECT source, {split.sql} AS now, count(*), {counts} FROM main.{quoted(table.name)} GROUP BY ALL"
    ).fetchall()
    rows = sum(row[2] for row in found)
    filled = [sum(row[3 + i] for row in found) for i in range(len(columns))]
    coded = _coded(table)
    names = [c.name for c, number in zip(columns, filled, strict=True) if number and c.name in coded]
    mixes = dict(zip(names, _mixes(connection, table.name, names), strict=True))
    figures = [
        ColumnFigures(c.name, c.dtype, c.description, c.phi, number, mixes.get(c.name))
        for c, number in zip(columns, filled, strict=True)
    ]
    return TableFigures(table.name, rows, earlier, figures), list(_changed(table.name, columns, found))


def by_month(connection: duckdb.DuckDBPyConnection, table: Table, now: date) -> Months | None:
    """Rows by month of the first time that says when it happened, up to the month of ``now``; None for a table without
    one.
    """
    names = {column.name for column in table.columns()}
    column = next((f"{when}_date" for when in _WHEN if f"{when}_date" in names), None)
    if column is None:
        return None
    found = connection.execute(
        f"SELECT date_trunc('month', {quoted(column)})::DATE AS month, count(*) FROM main.{quoted(table.name)} "
        "GROUP BY 1 ORDER BY 1"
    ).fetchall()
    counts: dict[date, int] = {month: rows for month, rows in found if month is not None}
    undated = sum(rows for month, rows in found if month is None)
    past = [month for month in counts if month <= now]
    if not past:
        return None
    last = max(past)
    ends = last.year * 12 + last.month - 1
    begins = max(ends - _MONTHS + 1, min(past).year * 12 + min(past).month - 1)
    told = [counts.get(date(at // 12, at % 12 + 1, 1), 0) for at in range(begins, ends + 1)]
    first = date(begins // 12, begins % 12 + 1, 1)
    return Months(table.name, column, first, told, undated, sum(counts.values()) - sum(told))


def share_drift(before: tuple[int, int], now: tuple[int, int]) -> float | None:
    """How many standard errors two shares (number, of) lie apart; None when that is too little to be told.

    The standard error is that of the difference of two independent proportions with pooled variance.
    """
    if min(before[1], now[1]) < _FEWEST:
        return None
    was, is_ = before[0] / before[1], now[0] / now[1]
    pooled = (before[0] + now[0]) / (before[1] + now[1])
    error = math.sqrt(pooled * (1 - pooled) * (1 / before[1] + 1 / now[1]))
    if not error or abs(is_ - was) < _LEAST_DIFFERENCE:
        return None
    z = abs(is_ - was) / error
    return z if z >= _LEAST_Z else None


def _changed(table: str, columns: Sequence[Column], found: Sequence[tuple[object, ...]]) -> Iterator[Drift]:
    halves: dict[str, dict[bool, Sequence[int]]] = {}
    for source, now, *counts in found:
        if isinstance(now, bool):
            halves.setdefault(str(source), {})[now] = [int(str(count)) for count in counts]
    for source, half in halves.items():
        if len(half) < 2:
            continue
        (before, *were), (rows, *are) = half[False], half[True]
        for column, was, is_ in zip(columns, were, are, strict=True):
            z = share_drift((was, before), (is_, rows))
            if z is not None:
                yield Drift(source, table, column.name, "filled", None, was / before, is_ / rows, before, rows, z)


def _coded(table: Table) -> set[str]:
    """Columns that hold codes: of a required value set, or the code of a coding. Free text is never told."""
    found = {column.name for column in table.columns() if column.codes and column.dtype == "VARCHAR"}
    for element in table.elements:
        if element.kind is Kind.CODING:
            found.add(element.columns[0].name)
    return {name for name in found if not _phi(table, name)}


def _phi(table: Table, name: str) -> bool:
    return any(column.phi for column in table.columns() if column.name == name)


def _mixes(connection: duckdb.DuckDBPyConnection, table: str, names: Sequence[str]) -> list[CodeMix]:
    if not names:
        return []
    wanted = ", ".join(f"histogram({quoted(name)})" for name in names)
    row = connection.execute(f"SELECT {wanted} FROM main.{quoted(table)}").fetchone() or ()
    return [_mix(counted or {}) for counted in row]


def _mix(counted: Mapping[str, int]) -> CodeMix:
    ordered = sorted(counted.items(), key=lambda one: (-one[1], one[0]))
    return CodeMix(ordered[:_CODES], sum(rows for _, rows in ordered[_CODES:]), len(ordered))
