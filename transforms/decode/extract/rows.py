"""The rows that an entry of a mapping makes of records: FHIR-shaped, each with its id and time of change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from schemas.mapping import Entry, Expression, Target, targets_of
from schemas.mapping.targets import Steps, Value
from schemas.model import ID_PATTERN
from schemas.reasons import Reason
from schemas.table import Table
from transforms.decode.extract.assemble import Assembly
from transforms.decode.extract.dates import read_dates
from transforms.decode.extract.expressions import Faults, keys_of, value_of
from transforms.decode.extract.numbers import read_booleans, read_integers, read_numbers

_DIGITS = "#value"  # beside `value`: its digits as sent


@dataclass(frozen=True, slots=True)
class Rows:
    """``ids`` (String) and ``updated`` (String, times in the one spelling) of rows, their elements as in FHIR JSON, and
    the first reason for each row (by index) that is refused, with what it blames.
    """

    ids: pl.Series
    updated: pl.Series
    elements: pl.DataFrame
    faults: dict[int, tuple[str, Reason]]


def rows_of(entry: Entry, table: Table, frame: pl.DataFrame, zone: str | None) -> Rows:
    """The rows of records. ``frame`` has a String column for each column that the entry reads; ``zone`` is that of
    local times which nothing else tells.
    """
    frame = _cleaned(entry, frame)
    faults, work = Faults(frame.height), Assembly()
    zone = entry.zone or zone
    if entry.id is None:
        ids = keys_of(entry.keys, frame)
        faults.add("id", Reason.MISSING_KEY, ids.is_null())
    else:
        ids = value_of(entry.id, frame, "id", faults)
        faults.add("id", Reason.MISSING_KEY, ids.is_null())
        faults.add("id", Reason.INVALID_ID, ~ids.str.contains(ID_PATTERN))
    updated = pl.Series([None], dtype=pl.String).new_from_index(0, frame.height)
    if entry.last_updated is not None:
        text = value_of(entry.last_updated, frame, "last_updated", faults)
        updated = _times(entry.last_updated, text, "last_updated", zone, faults)
    told = dict(entry.columns)
    targets = targets_of(table)
    periods = _periods(targets, told)
    for name, expression in entry.columns:
        target = targets[name]
        text = value_of(expression, frame, name, faults)
        if target.value is Value.TYPE:
            continue
        kind = None
        if target.type_name:
            kind = value_of(told[target.type_name], frame, target.type_name, Faults(frame.height))
        _put(work, target, expression, text, kind, periods.get(name, target.steps), zone, faults)
    columns = work.columns()
    return Rows(ids.alias("id"), updated, pl.DataFrame(columns), faults.first())


def _cleaned(entry: Entry, frame: pl.DataFrame) -> pl.DataFrame:
    """Without blanks around values, if so told, and with null for texts that mean a missing value."""
    columns = pl.all().str.strip_chars() if entry.trim else pl.all()
    nulls = ["", *entry.nulls]
    if not entry.trim and not entry.nulls:
        return frame  # DuckDB gives null for what is empty
    return frame.with_columns(columns).with_columns(pl.all().replace(nulls, [None] * len(nulls)))


def _put(
    work: Assembly,
    target: Target,
    expression: Expression,
    text: pl.Series,
    kind: pl.Series | None,
    steps: Steps,
    zone: str | None,
    faults: Faults,
) -> None:
    if target.value in (Value.NUMBER, Value.RESULT):
        _put_number(work, target, expression, text, faults)
    elif target.value is Value.INTEGER:
        made, unfit = read_integers(text)
        faults.add(target.name, Reason.NOT_A_NUMBER, unfit)
        work.put(steps, made)
    elif target.value is Value.BOOLEAN:
        made, unfit = read_booleans(text)
        faults.add(target.name, Reason.WRONG_TYPE, unfit)
        work.put(steps, made)
    elif target.value is Value.TIME:
        work.put(steps, _times(expression, text, target.name, zone, faults))
    elif target.value is Value.REFERENCE:
        faults.add(target.name, Reason.INVALID_ID, ~text.str.contains(ID_PATTERN))
        before = pl.lit(target.to) if kind is None else pl.lit(kind)
        work.put(steps, pl.select(pl.concat_str(before, pl.lit("/"), pl.lit(text))).to_series())
    else:
        work.put(steps, text)
        for beside, constant in target.with_item:
            work.put(beside, pl.select(pl.when(pl.lit(text.is_not_null())).then(pl.lit(constant))).to_series())


def _put_number(work: Assembly, target: Target, expression: Expression, text: pl.Series, faults: Faults) -> None:
    bounds = bool(target.comparator)
    read = read_numbers(text, expression.decimal, expression.thousands, bounds=bounds)
    if target.value is Value.RESULT:
        words = pl.select(pl.when(pl.lit(read.unfit)).then(pl.lit(text))).to_series()
        # A text that is a number but for its separators is no word: which number it is must be told.
        faults.add(target.name, Reason.NOT_A_NUMBER, words.str.contains(_NUMERIC))
        work.put(target.text, words)
    else:
        faults.add(target.name, Reason.NOT_A_NUMBER, read.unfit)
    work.put(target.steps, read.digits.cast(pl.Float64, strict=False))
    work.put((*target.steps[:-1], (_DIGITS, "")), read.digits)
    if bounds:
        work.put(target.comparator, read.comparator)


_NUMERIC = r"^\s*(?:<=|>=|<|>)?\s*[+-]?[0-9][0-9.,' \u00A0\u202F]*$"


def _times(expression: Expression, text: pl.Series, name: str, zone: str | None, faults: Faults) -> pl.Series:
    read = read_dates(text, expression.formats, expression.years_from, expression.zone or zone)
    faults.add(name, Reason.DATE_FORMAT, read.unfit)
    faults.add(name, Reason.AMBIGUOUS_DATE, read.ambiguous)
    return read.text


def _periods(targets: Mapping[str, Target], told: Mapping[str, Expression]) -> dict[str, Steps]:
    """Where the start of a choice goes whose end is told too: into the Period that has the end."""
    moved: dict[str, Steps] = {}
    for name in told:
        steps = targets[name].steps
        if len(steps) > 1 and steps[-1] == ("end", "") and steps[-2][0].endswith("Period"):
            start = name.removesuffix("_end")
            if start != name and start in told and targets[start].steps[:-1] == steps[:-2]:
                moved[start] = (*steps[:-1], ("start", ""))
    return moved
