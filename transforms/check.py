"""Every row against the table's pandera model: the rows that pass, and for each that does not its first reason."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import pandera.errors
import pandera.polars as pa
import polars as pl

from schemas.dtypes import polars_dtype
from schemas.model import columns as model_columns
from schemas.model import flag_schema, with_checks
from schemas.model import rules as model_rules
from schemas.reasons import Reason, reason_of
from schemas.table import INVALID, PRESENT, Table
from transforms.decode.careful import Fault
from transforms.normalise import FLAG_MARKS


@dataclass(frozen=True, slots=True)
class Failure:
    """A row (by index) that a check refuses."""

    row: int
    fault: Fault
    check: str


def check(frame: pl.DataFrame, table: Table) -> list[Failure]:
    """The rows of ``frame`` (mart columns and flags, as the normaliser leaves them) that break the model, one reason
    each.

    Columns that are left out count as null. Values never leave this function: pandera's messages hold them, so only the
    row, the column and the name of the check are taken from its report.
    """
    schema, required = _schema(table, frozenset(frame.columns))
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in required.items() if name not in frame.columns]
    try:
        schema.validate(frame.with_columns(missing), lazy=True)
    except pandera.errors.SchemaErrors as error:
        return _failures(error.failure_cases)
    return []


@functools.cache
def _schema(table: Table, columns: frozenset[str]) -> tuple[pa.DataFrameSchema, dict[str, pl.DataType]]:
    """The part of the model that has something to check in these columns, and columns that it needs in any case."""
    whole = model_columns(table)
    dtypes = {c.name: polars_dtype(c.dtype) for c in table.columns()}
    checked = {name: column for name, column in whole.items() if column.checks}
    required: dict[str, pl.DataType] = {}
    kept: dict[str, pa.Column] = {}
    for name, column in checked.items():
        if name in columns:
            kept[name] = column
        elif table.requires(name):
            kept[name] = column
            required[name] = pl.Boolean() if name.startswith(PRESENT) else dtypes[name]
    for name in columns:
        if name.startswith(FLAG_MARKS) and name not in whole:
            kept[name] = flag_schema(name)
    for rule in table.rules:
        nulls = {name: pl.Series(name, [None], dtypes[name]) for name in rule.columns}
        # A rule over columns that are all left out has one answer for every row, and mostly it is "held".
        if any(name in columns for name in rule.columns) or pl.DataFrame(nulls).select(rule.holds).item() is False:
            blamed = kept.get(rule.column, whole[rule.column])
            kept[rule.column] = with_checks(blamed, (model_rules(table)[rule.name],))
            needed = {*rule.columns, rule.column} - columns
            required |= {name: dtypes[name] for name in needed}
    return pa.DataFrameSchema(kept), required


def _failures(cases: pl.DataFrame) -> list[Failure]:
    found: dict[int, Failure] = {}
    # A time that is none leaves its required date empty: what was sent is wrong, not missing.
    times_first = cases.sort(pl.col("check") != Reason.INVALID_TIME, maintain_order=True)
    for column, name, row in times_first.select("column", "check", "index").iter_rows():
        if row is not None and row not in found:
            reason, _, rule = str(name).partition(":")
            place = str(column).lstrip(INVALID + PRESENT + "#")
            what = reason_of(reason)
            said = what.meaning if not rule else f"{what.meaning} ({rule})"
            found[row] = Failure(row, Fault(what, place, said), rule or str(name))
    return list(found.values())
