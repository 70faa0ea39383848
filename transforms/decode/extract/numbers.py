"""Texts of numbers in declared spellings, as JSON numbers with the digits sent."""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

_PLAIN = r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$"  # a JSON number that needs no change
_INTEGER = r"^\s*([+-]?)0*([0-9]+)(?:\.0+)?\s*$"  # columns with gaps are often written as 3.0
_TRUE, _FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")


@dataclass(frozen=True, slots=True)
class Numbers:
    """``digits`` (String) are JSON numbers, null where the text was null or is no number; ``comparator`` (String)
    stands before some. ``unfit`` (Boolean, no nulls): the text is no number.
    """

    digits: pl.Series
    comparator: pl.Series
    unfit: pl.Series


def read_numbers(text: pl.Series, decimal: str, thousands: str, *, bounds: bool) -> Numbers:
    """The decimals of a String column. ``bounds``: a comparator may stand before them (``<0.01``).

    Trailing zeros stay. A plus sign, leading zeros and thousands separators go, as JSON has none. Thousands separators
    must stand where thousands end; without ``thousands`` a number with any is none.
    """
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, len(text))
    if decimal == "." and text.str.contains(_PLAIN).all():
        return Numbers(text, nothing, pl.Series([False]).new_from_index(0, len(text)))
    form = _form(decimal, thousands, bounds=bounds)
    groups = pl.DataFrame({"sent": text}).select(pl.col("sent").str.extract_groups(form)).to_series().struct.unnest()
    whole, fraction = pl.col("whole"), pl.col("fraction")
    if thousands:
        whole = whole.str.replace_all(thousands, "", literal=True)
    digits = whole.str.replace(r"^0+(?:([0-9])|$)", "${1}")
    digits = pl.when(digits == "").then(pl.lit("0")).otherwise(digits)
    made = groups.select(
        digits=pl.concat_str(
            pl.when(pl.col("sign") == "-").then(pl.lit("-")).otherwise(pl.lit("")),
            digits,
            pl.when(fraction != "").then("." + fraction).otherwise(pl.lit("")),
            pl.col("exponent").fill_null(""),
        ),
        comparator=pl.col("comparator") if bounds else pl.lit(None, dtype=pl.String),
        any=(whole.fill_null("") != "") | (fraction.fill_null("") != ""),
    )
    fits = (text.str.contains(form) & made["any"]).fill_null(False)
    told = pl.select(
        pl.when(fits).then(made["digits"]).alias("digits"),
        pl.when(fits).then(made["comparator"]).alias("comparator"),
    )
    return Numbers(told["digits"], told["comparator"], text.is_not_null() & ~fits)


def _form(decimal: str, thousands: str, *, bounds: bool) -> str:
    mark = re.escape(decimal)
    whole = "[0-9]*"
    if thousands:
        whole = rf"[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})+|[0-9]*"
    comparator = r"(?P<comparator><=|>=|<|>)?\s*" if bounds else ""
    return (
        rf"^\s*{comparator}(?P<sign>[+-]?)(?P<whole>{whole})(?:{mark}(?P<fraction>[0-9]*))?"
        r"(?P<exponent>[eE][+-]?[0-9]{1,4})?\s*$"
    )


def read_integers(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Whole numbers (Int64), and where a text is none (Boolean, no nulls)."""
    fits = text.str.contains(_INTEGER)
    bare = text.str.replace(_INTEGER, "${1}${2}").str.strip_prefix("+")
    made = pl.select(pl.when(fits).then(bare)).to_series().cast(pl.Int64, strict=False)
    return made, text.is_not_null() & made.is_null()


def read_booleans(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Truths (Boolean), and where a text is none (Boolean, no nulls): true, yes, y, t and 1, and their contraries."""
    words = text.str.strip_chars().str.to_lowercase()
    made = words.replace_strict(
        [*_TRUE, *_FALSE], [True] * len(_TRUE) + [False] * len(_FALSE), default=None, return_dtype=pl.Boolean
    )
    return made, text.is_not_null() & made.is_null()
