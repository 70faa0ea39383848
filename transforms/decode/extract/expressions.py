"""The values of expressions over the columns of records."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from schemas.mapping import Column, Concat, Constant, Expression, First, KeyOf
from schemas.reasons import Reason
from transforms.decode.hl7v2.maps.ids import hashed, key_of

_KEY = "extract"  # before the parts of a key, so that no other id of a row is made of the same text


@dataclass(slots=True)
class Faults:
    """Why rows are refused, first things first: target, reason, rows (Boolean)."""

    height: int
    found: list[tuple[str, Reason, pl.Series]] = field(default_factory=list)

    def add(self, target: str, reason: Reason, rows: pl.Series) -> None:
        """Refuse rows; null counts as false."""
        if rows.any():
            self.found.append((target, reason, rows.fill_null(False)))

    def first(self) -> dict[int, tuple[str, Reason]]:
        """The first reason of each row that has any."""
        by_row: dict[int, tuple[str, Reason]] = {}
        for target, reason, rows in self.found:
            for row in rows.arg_true().to_list():
                by_row.setdefault(row, (target, reason))
        return by_row


def value_of(expression: Expression, frame: pl.DataFrame, target: str, faults: Faults) -> pl.Series:
    """The text (String) of an expression for each row; null where it is missing.

    ``frame`` has a String column for each column that is read, null where nothing stands. What is required and missing,
    and what a lookup does not list, is a fault of ``target``.
    """
    text = _origin(expression, frame, target, faults)
    if expression.split is not None:
        parts = text.str.split(expression.split.by)
        part = parts.list.get(expression.split.part - 1, null_on_oob=True)
        text = part.replace("", None)
    if expression.lookup is not None:
        sent, meant = zip(*expression.lookup.entries, strict=True)
        found = text.replace_strict(list(sent), list(meant), default=None, return_dtype=pl.String)
        unlisted = text.is_not_null() & found.is_null()
        otherwise = expression.lookup.otherwise
        if otherwise is None:
            faults.add(target, Reason.NOT_IN_LOOKUP, unlisted)
        else:
            found = pl.select(pl.when(unlisted).then(pl.lit(otherwise)).otherwise(found)).to_series()
        text = found
    if expression.required:
        faults.add(target, Reason.REQUIRED_MISSING, text.is_null())
    return text


def keys_of(columns: tuple[str, ...], frame: pl.DataFrame) -> pl.Series:
    """The ids (String) of rows that columns name together; null where any of them is missing."""
    parts = [pl.col(name) for name in columns]
    told = pl.all_horizontal(part.is_not_null() for part in parts)
    return hashed(frame.select(pl.when(told).then(key_of(_KEY, *parts)).alias("id")).to_series())


def _origin(expression: Expression, frame: pl.DataFrame, target: str, faults: Faults) -> pl.Series:
    origin = expression.origin
    if isinstance(origin, Column):
        return frame[origin.name]
    if isinstance(origin, Constant):
        return pl.Series([origin.text], dtype=pl.String).new_from_index(0, frame.height)
    if isinstance(origin, KeyOf):
        return keys_of(origin.columns, frame)
    parts = pl.DataFrame(
        [value_of(part, frame, target, faults).alias(str(number)) for number, part in enumerate(origin.parts)]
    )
    if isinstance(origin, First):
        return parts.select(pl.coalesce(pl.all()).alias("first")).to_series()
    return _concat(origin, parts)


def _concat(origin: Concat, parts: pl.DataFrame) -> pl.Series:
    joined = pl.concat_str(pl.all(), separator=origin.separator, ignore_nulls=origin.skip_missing)
    told = pl.any_horizontal(pl.all().is_not_null()) if origin.skip_missing else pl.lit(True)
    return parts.select(pl.when(told).then(joined).alias("concat")).to_series()
