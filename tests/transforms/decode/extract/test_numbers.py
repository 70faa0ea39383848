"""Numbers in declared spellings, with the digits sent."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.decode.extract.numbers import read_booleans, read_integers, read_numbers


@pytest.mark.parametrize(
    ("text", "decimal", "thousands", "expected"),
    [
        ("1.10", ".", "", "1.10"),
        ("+3", ".", "", "3"),
        ("007.0", ".", "", "7.0"),
        (".5", ".", "", "0.5"),
        ("5.", ".", "", "5"),
        ("-0.0", ".", "", "-0.0"),
        (" 5 ", ".", "", "5"),
        ("1e-07", ".", "", "1e-07"),
        ("1,234", ".", "", None),
        ("1,234", ".", ",", "1234"),
        ("1,234,567.80", ".", ",", "1234567.80"),
        ("12,34", ".", ",", None),
        ("1234,567", ".", ",", None),
        ("1,5", ",", "", "1.5"),
        ("1.5", ",", "", None),
        ("1.234,5", ",", ".", "1234.5"),
        ("1.5", ",", ".", None),
        ("1'234.5", ".", "'", "1234.5"),
        ("1 234,5", ",", " ", "1234.5"),
        ("abc", ".", "", None),
        ("1 2", ".", "", None),
        ("1.2.3", ".", "", None),
        ("-", ".", "", None),
        (".", ".", "", None),
        ("e5", ".", "", None),
        ("٣", ".", "", None),
        ("NaN", ".", "", None),
        ("0x10", ".", "", None),
    ],
)
def test_a_number(text: str, decimal: str, thousands: str, expected: str | None) -> None:
    """Its digits as JSON has them, or none."""
    read = read_numbers(pl.Series([text, None]), decimal, thousands, bounds=False)
    assert read.digits.to_list() == [expected, None]
    assert read.unfit.to_list() == [expected is None, False]


def test_bounds() -> None:
    """A comparator before a number, only where the column has a place for it."""
    texts = pl.Series(["<0.01", ">= 5", "<=3", "<", "<>1"])
    read = read_numbers(texts, ".", "", bounds=True)
    assert list(zip(read.comparator, read.digits, strict=True)) == [
        ("<", "0.01"), (">=", "5"), ("<=", "3"), (None, None), (None, None)
    ]  # fmt: skip
    assert read_numbers(texts, ".", "", bounds=False).unfit.all()


@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False, places=3), min_size=1))
def test_thousands_go_and_digits_stay(numbers: list[object]) -> None:
    """What Python writes with separators is the same number without them."""
    written = pl.Series([f"{number:,}" for number in numbers])
    plain = [f"{number}" for number in numbers]
    assert read_numbers(written, ".", ",", bounds=False).digits.to_list() == plain


def test_integers_and_truths() -> None:
    """Whole numbers, also as columns with gaps write them; truths in the usual words."""
    made, unfit = read_integers(pl.Series(["1", "3.0", "3.5", "x", None, "-2", "99999999999999999999"]))
    assert made.to_list() == [1, 3, None, None, None, -2, None]
    assert unfit.to_list() == [False, False, True, True, False, False, True]
    truths, bad = read_booleans(pl.Series(["Y", "no", "TRUE", "0", "2", None]))
    assert truths.to_list() == [True, False, True, False, None, None]
    assert bad.to_list() == [False, False, False, False, True, False]
