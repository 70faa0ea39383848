"""The checks of a table's rows and the pandera model made of them: required elements, required codes, forms, ranges
and rules.

A check's name is the reason code (:class:`schemas.reasons.Reason`) under which a row that fails it is quarantined.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from schemas.choice import MANY_MARK
from schemas.dtypes import polars_dtype
from schemas.reasons import Reason
from schemas.table import INVALID, PRESENT, Column, Kind, Table

if TYPE_CHECKING:
    import pandera.polars as pa

# A load asks pandera only about rows that fail, so most need not wait for its import.
# ruff: noqa: PLC0415
ID_PATTERN = r"^[A-Za-z0-9\-.]{1,64}$"  # FHIR R4 2.24.0.1


@dataclass(frozen=True, slots=True, eq=False)
class RowCheck:
    """One check: ``holds`` is a Boolean expression over the mart columns and flags ``reads``; null counts as held."""

    name: str  # a reason code; for a rule its name comes after a colon
    column: str  # the one that is blamed
    holds: pl.Expr
    reads: tuple[str, ...]

    def as_pandera(self) -> pa.Check:
        """The check as one of its column.

        Rules are checks of the one column that they blame, though they read several: for a check of the whole frame
        pandera writes every failing row as JSON, which Polars cannot do for a BLOB, and which would copy a patient's
        values.
        """
        import pandera.polars as pa

        holds = self.holds.fill_null(True)
        return pa.Check(lambda data: data.lazyframe.select(holds), name=str(self.name))


@functools.cache
def row_checks(table: Table) -> tuple[RowCheck, ...]:
    """All checks of a table. A row is refused for the first that fails: what cannot be told before what is missing,
    that before what is wrong, and that before what does not fit together.
    """
    columns = [c for e in table.elements for c in e.columns]
    times = ["last_updated", *(e.name for e in table.elements if e.kind in (Kind.TIME, Kind.CLOCK))]
    return (
        *_id_checks(),
        *(flag_check(INVALID + name) for name in times),
        *(flag_check(e.present) for e in table.elements if e.present),
        *(check for c in columns if c.required for check in _required(c)),
        *(check for c in columns for check in _column_checks(c)),
        *(RowCheck(f"{r.reason}:{r.name}", r.column, r.holds, r.columns) for r in table.rules),
    )


def flag_check(name: str) -> RowCheck:
    """The check of a flag; those of times and choices inside lists are there only in some batches."""
    value = pl.col(name)
    if name.startswith(PRESENT):
        return RowCheck(Reason.REQUIRED_MISSING, name, value, (name,))
    reason = Reason.RULE_VIOLATED if name.startswith(MANY_MARK) else Reason.INVALID_TIME
    return RowCheck(reason, name, ~value, (name,))


@functools.cache
def model(table: Table) -> pa.DataFrameSchema:
    """The model of the rows of ``table`` as the normaliser leaves them: its columns with their metadata, and the
    flags.
    """
    import pandera.polars as pa

    return pa.DataFrameSchema(columns(table), name=table.name, description=table.description)


def columns(table: Table) -> dict[str, pa.Column]:
    """The columns and flags of the model, with their checks."""
    import pandera.polars as pa

    checks = by_column(row_checks(table))
    made = {c.name: _column(c, table, checks.get(c.name, [])) for c in table.columns()}
    return made | {
        name: pa.Column(pl.Boolean(), checks=own, nullable=True) for name, own in checks.items() if name not in made
    }


def by_column(checks: Iterable[RowCheck]) -> dict[str, list[pa.Check]]:
    """The checks as pandera's, by the column that they blame."""
    found: dict[str, list[pa.Check]] = defaultdict(list)
    for check in checks:
        found[check.column].append(check.as_pandera())
    return found


def _column(column: Column, table: Table, checks: list[pa.Check]) -> pa.Column:
    import pandera.polars as pa

    metadata = {"fhirpath": column.path, "phi": column.phi, "table": table.name, "duckdb": column.dtype}
    return pa.Column(
        polars_dtype(column.dtype), checks=checks, nullable=True, description=column.description, metadata=metadata
    )


def _id_checks() -> Iterator[RowCheck]:
    value = pl.col("id")
    yield RowCheck(Reason.NO_ID, "id", value.is_not_null(), ("id",))
    yield RowCheck(Reason.INVALID_ID, "id", value.str.contains(ID_PATTERN), ("id",))


def _required(column: Column) -> Iterator[RowCheck]:
    yield RowCheck(Reason.REQUIRED_MISSING, column.name, pl.col(column.name).is_not_null(), (column.name,))


def _column_checks(column: Column) -> Iterator[RowCheck]:
    value = pl.col(column.name)
    asked: list[tuple[str, pl.Expr]] = []
    if column.codes:
        many = column.dtype.endswith("[]")
        known = value.list.eval(pl.element().is_in(column.codes)).list.all() if many else value.is_in(column.codes)
        asked.append((Reason.CODE_NOT_IN_VALUE_SET, known))
    if column.dtype == "DOUBLE":
        asked.append((Reason.NUMBER_OUT_OF_RANGE, value.is_finite()))
    if column.minimum is not None:
        asked.append((Reason.OUT_OF_RANGE, value >= column.minimum))
    if column.pattern is not None:
        asked.append((Reason.INVALID_FORMAT, value.str.contains(column.pattern)))
    return (RowCheck(reason, column.name, holds, (column.name,)) for reason, holds in asked)
