"""Every row against the table's pandera model: the rows that pass, and for each that does not its first reason."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from schemas.dtypes import polars_dtype
from schemas.model import RowCheck, by_column, flag_check, row_checks
from schemas.reasons import Reason, reason_of
from schemas.table import INVALID, PRESENT, Table
from transforms.decode.careful import Fault
from transforms.normalise import FLAG_MARKS

if TYPE_CHECKING:
    import pandera.polars as pa


@dataclass(frozen=True, slots=True)
class Failure:
    """A row (by index) that a check refuses."""

    row: int
    fault: Fault
    check: str


def check(frame: pl.DataFrame, table: Table, *, patch: bool = False) -> list[Failure]:
    """The rows of ``frame`` (mart columns and flags, as the normaliser leaves them) that break the model, one reason
    each.

    Columns that are left out count as null. Of a ``patch``, which says only what changed, or what a message or document
    tells, nothing is required. Values never leave this function: pandera's messages hold them, so only the row, the
    column and the name of the check are taken from its report.
    """
    plan = _plan(table, tuple(frame.columns), patch)
    rows = frame.lazy().select(*plan.reads, *plan.missing).collect()
    failing = rows.select(~plan.together).to_series().arg_true().to_list()
    if not failing:
        return []
    found: dict[int, tuple[str, str]] = {}
    for row, column, name in broken(plan.one_by_one(), rows[failing]):
        known = found.setdefault(failing[row], (column, name))
        if plan.rank[column, name] < plan.rank[known]:
            found[failing[row]] = (column, name)
    return [_failure(row, column, name) for row, (column, name) in sorted(found.items())]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What of a model has something to check in some columns.

    ``together`` is true for rows that hold all the model's checks, asked without pandera, whose report of a frame takes
    as long as the checks; ``one_by_one`` is pandera's model, which says what a row fails.
    """

    checks: tuple[RowCheck, ...]
    reads: tuple[str, ...]  # columns of the batch that are looked at
    missing: tuple[pl.Expr, ...]  # those that it left out, as nulls
    together: pl.Expr
    rank: dict[tuple[str, str], int]  # of a check, by what it blames and its name

    def one_by_one(self) -> pa.DataFrameSchema:
        import pandera.polars as pa  # noqa: PLC0415 - most loads have no row to ask it about

        return pa.DataFrameSchema(
            {c: pa.Column(checks=own, nullable=True) for c, own in by_column(self.checks).items()}
        )


# Checks that ask for an element to be there. Of the rules only ait-1 does, for `clinicalStatus` is 0..1 but for it.
_REQUIRING = (Reason.REQUIRED_MISSING, f"{Reason.RULE_VIOLATED}:ait-1")


@functools.cache
def _plan(table: Table, columns: tuple[str, ...], patch: bool) -> _Plan:
    there = frozenset(columns)
    known = tuple(c for c in row_checks(table) if not (patch and c.name in _REQUIRING))
    own = {check.column for check in known}
    flags = [flag_check(name) for name in columns if name.startswith(FLAG_MARKS) and name not in own]
    flags = [c for c in flags if not (patch and c.name == Reason.REQUIRED_MISSING)]
    absent = [check for check in known if there.isdisjoint(check.reads)]
    dtypes = {c.name: polars_dtype(c.dtype) for c in table.columns()}
    nulls = {name: pl.lit(None, dtypes.get(name, pl.Boolean())).alias(name) for check in known for name in check.reads}
    # What reads only columns that are left out has one answer for every row, and mostly it is "held".
    held = pl.select(nulls.values()).select(c.holds.fill_null(True).alias(str(i)) for i, c in enumerate(absent))
    idle = {id(check) for check, holds in zip(absent, held.row(0) if absent else (), strict=True) if holds}
    checks = (*flags, *(check for check in known if id(check) not in idle))
    needed = list(dict.fromkeys(name for check in checks for name in ("id", *check.reads, check.column)))
    return _Plan(
        checks,
        tuple(name for name in needed if name in there),
        tuple(nulls[name] for name in needed if name not in there),
        pl.all_horizontal(c.holds.fill_null(True) for c in checks),
        {(check.column, str(check.name)): rank for rank, check in enumerate(checks)},
    )


def broken(schema: pa.DataFrameSchema, rows: pl.DataFrame) -> list[tuple[int, str, str]]:
    """Row, column and name of every check that fails; pandera's report also holds values, which stay here."""
    import pandera.errors  # noqa: PLC0415 - see above

    try:
        schema.validate(rows, lazy=True)
    except pandera.errors.SchemaErrors as error:
        return list(error.failure_cases.select("index", "column", "check").iter_rows())
    return []


def _failure(row: int, column: str, name: str) -> Failure:
    reason, _, rule = name.partition(":")
    place = column.lstrip(INVALID + PRESENT + "#")
    what = reason_of(reason)
    said = what.meaning if not rule else f"{what.meaning} ({rule})"
    return Failure(row, Fault(what, place, said), rule or name)
