"""The pandera model of a table, and the checks in it: required elements, required codes, forms, ranges and rules.

A check's name is the reason code (:class:`schemas.reasons.Reason`) under which a row that fails it is quarantined.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable

import pandera.polars as pa
import polars as pl

from schemas.choice import MANY_MARK
from schemas.dtypes import polars_dtype
from schemas.reasons import Reason
from schemas.table import IDENTITY, INVALID, PRESENT, Column, Kind, Table

ID_PATTERN = r"^[A-Za-z0-9\-.]{1,64}$"  # FHIR R4 2.24.0.1


@functools.cache
def model(table: Table) -> pa.DataFrameSchema:
    """The model of the rows of ``table`` as the normaliser leaves them: its columns with their metadata, and the
    flags.
    """
    made = columns(table)
    for rule in table.rules:
        made[rule.column] = with_checks(made[rule.column], (rules(table)[rule.name],))
    return pa.DataFrameSchema(made, name=table.name, description=table.description)


def columns(table: Table) -> dict[str, pa.Column]:
    """The columns and flags of the model, with their checks."""
    made = {c.name: pa.Column(polars_dtype(c.dtype), nullable=True, metadata=_metadata(c, table)) for c in IDENTITY}
    made["id"] = _id_column()
    made[INVALID + "last_updated"] = _flag(False, Reason.INVALID_TIME)
    # A row is refused for the first reason found, so that what is missing comes before what is wrong.
    made |= {e.present: _flag(True, Reason.REQUIRED_MISSING) for e in table.elements if e.present}
    made |= {c.name: _column(c, table) for e in table.elements for c in e.columns if c.required}
    for element in table.elements:
        made |= {c.name: _column(c, table) for c in element.columns if not c.required}
        if element.kind is Kind.TIME:
            made[INVALID + element.name] = _flag(False, Reason.INVALID_TIME)
    return made


def with_checks(column: pa.Column, checks: Iterable[pa.Check]) -> pa.Column:
    """The column with more checks.

    Rules are checks of the one column that they blame, though they read several: for a check of the whole frame pandera
    writes every failing row as JSON, which Polars cannot do for a BLOB, and which would copy a patient's values.
    """
    return pa.Column(
        column.dtype,
        checks=[*column.checks, *checks],
        nullable=True,
        description=column.description,
        metadata=column.metadata,
    )


@functools.cache
def rules(table: Table) -> dict[str, pa.Check]:
    """The cross-field checks of the model by the rule's name."""
    return {r.name: _named(f"{Reason.RULE_VIOLATED}:{r.name}", _rule(r.holds)) for r in table.rules}


def flag_schema(name: str) -> pa.Column:
    """The check of a flag that only some batches have: times and choices inside lists."""
    reason = Reason.RULE_VIOLATED if name.startswith(MANY_MARK) else Reason.INVALID_TIME
    return _flag(name.startswith(PRESENT), reason)


def _column(column: Column, table: Table) -> pa.Column:
    checks = []
    value = pl.col(column.name)
    if column.required:
        checks.append(_named(Reason.REQUIRED_MISSING, _rule(value.is_not_null())))
    if column.codes:
        many = column.dtype.endswith("[]")
        known = value.list.eval(pl.element().is_in(column.codes)).list.all() if many else value.is_in(column.codes)
        checks.append(_named(Reason.CODE_NOT_IN_VALUE_SET, _rule(value.is_null() | known)))
    if column.dtype == "DOUBLE":
        checks.append(_named(Reason.NUMBER_OUT_OF_RANGE, _rule(value.is_null() | value.is_finite())))
    if column.minimum is not None:
        checks.append(_named(Reason.OUT_OF_RANGE, _rule(value.is_null() | (value >= column.minimum))))
    if column.pattern is not None:
        checks.append(_named(Reason.INVALID_FORMAT, _rule(value.is_null() | value.str.contains(column.pattern))))
    return pa.Column(
        polars_dtype(column.dtype),
        checks=checks,
        nullable=True,
        required=True,
        description=column.description,
        metadata=_metadata(column, table),
    )


def _metadata(column: Column, table: Table) -> dict[str, object]:
    return {"fhirpath": column.path, "phi": column.phi, "table": table.name, "duckdb": column.dtype}


def _id_column() -> pa.Column:
    value = pl.col("id")
    return pa.Column(
        pl.String(),
        checks=[
            _named(Reason.NO_ID, _rule(value.is_not_null())),
            _named(Reason.INVALID_ID, _rule(value.is_null() | value.str.contains(ID_PATTERN))),
        ],
        nullable=True,
        metadata={"fhirpath": "id"},
    )


def _flag(good: bool, reason: str) -> pa.Column:
    def holds(data: pa.PolarsData) -> pl.LazyFrame:
        value = pl.col(data.key)
        return data.lazyframe.select(value if good else ~value)

    return pa.Column(pl.Boolean(), checks=[_named(reason, holds)], nullable=True)


Holds = Callable[[pa.PolarsData], pl.LazyFrame]


def _rule(holds: pl.Expr) -> Holds:
    return lambda data: data.lazyframe.select(holds.fill_null(True))


def _named(name: str, holds: Holds) -> pa.Check:
    return pa.Check(holds, name=str(name))
