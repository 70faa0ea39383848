"""Numbers from one unit to another."""

from __future__ import annotations

import math
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.units.essence import essence
from transforms.units.conversion import Conversion, IncompatibleError, conversion
from transforms.units.ucum import parse

RATIO_UNITS = ["mg/dL", "g/L", "ug/mL", "kg/m3", "[oz_av]/[gal_us]", "pg/uL"]
INTERVAL_UNITS = ["K", "Cel", "[degF]", "[degRe]", "mCel", "mK"]
SPECIAL = {
    ("[pH]", "nmol/L"): (7.4, 39.810717055349734),
    ("nmol/L", "[pH]"): (39.810717055349734, 7.4),
    ("B", "1"): (3, 1000),
    ("dB[SPL]", "Pa"): (60, 0.02),
    ("Np", "1"): (1, math.e),
    ("B", "Np"): (1, math.log(10)),
    ("bit_s", "1"): (3, 8),
    ("[p'diop]", "deg"): (100, 45),
    ("%[slope]", "deg"): (100, 45),
    ("B[mV]", "V"): (2, 0.01),
    ("[m/s2/Hz^(1/2)]", "m2/s4/Hz"): (3, 9),
}


def of(number: float | str, one: str, other: str) -> float:
    return float(conversion(parse(one), parse(other)).of(Fraction(number)))


@pytest.mark.parametrize(("units", "numbers"), SPECIAL.items())
def test_special_scales(units: tuple[str, str], numbers: tuple[float, float]) -> None:
    """UCUM 4.5: logarithms, tangents, roots."""
    assert of(numbers[0], *units) == pytest.approx(numbers[1], rel=1e-12)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mg/dL", "mmol/L"), ("[iU]/L", "U/L"), ("[PFU]/mL", "[CFU]/mL"), ("meq/L", "mmol/L"), ("%", "mmol/mol"),
        ("ng{FEU}/mL", "ng{DDU}/mL"), ("ng{FEU}/mL", "ng/mL"), ("mg{a}/dL", "mg{b}/dL"), ("{Log_IU}/mL", "/mL"),
        ("{Log_IU}/mL", "{Log_IU}/mL.10*0"), ("mg/kg.h", "mg/kg/h"), ("[hp'_X]", "1"), ("m", "s"),
    ],
)  # fmt: skip
def test_what_is_no_conversion(one: str, other: str) -> None:
    """Other dimensions, other bases, other things counted."""
    if other == "{Log_IU}/mL.10*0":
        assert of(2, one, "{Log_IU}/mL") == 2
        return
    with pytest.raises(IncompatibleError):
        conversion(parse(one), parse(other))


def test_annotations_that_describe_may_be_left_out() -> None:
    """`{creat}` says what was weighed; the number is the same without it."""
    assert of(7, "mg{creat}/dL", "mg/dL") == 7
    assert of(3, "mg{FEU}/L", "ng{FEU}/mL") == 3000


@given(st.fractions(), st.sampled_from(RATIO_UNITS), st.sampled_from(RATIO_UNITS))
def test_there_and_back_is_exact(number: Fraction, one: str, other: str) -> None:
    """Fractions lose nothing."""
    there, back = conversion(parse(one), parse(other)), conversion(parse(other), parse(one))
    assert back.of(there.of(number)) == number


@given(st.fractions(), *[st.sampled_from(INTERVAL_UNITS)] * 3)
def test_temperatures_agree_by_any_way(number: Fraction, one: str, via: str, other: str) -> None:
    """Interval scales compose exactly."""
    a, b, c = parse(one), parse(via), parse(other)
    assert conversion(b, c).of(conversion(a, b).of(number)) == conversion(a, c).of(number)


@given(
    st.floats(min_value=-300, max_value=300, allow_subnormal=False),
    st.sampled_from([*SPECIAL, ("[degF]", "Cel"), ("mg/dL", "g/L"), ("Cel", "mK")]),
)
def test_a_column_is_converted_like_each_number(number: float, units: tuple[str, str]) -> None:
    """The expression and the scalar path agree; where the scalar fails the column is null."""
    made = conversion(parse(units[0]), parse(units[1]))
    (column,) = pl.DataFrame({"n": [number]}).select(made.expression(pl.col("n"))).to_series().to_list()
    try:
        alone = float(made.of(Fraction(number)))
    except (ValueError, OverflowError):
        alone = None
    assume(alone is None or alone == 0 or abs(alone) > 1e-300)
    if alone is None:
        assert column is None
    else:
        assert column == pytest.approx(alone, rel=1e-9, abs=1e-9)


@given(st.sampled_from(sorted(essence().atoms)))
def test_a_unit_is_itself(code: str) -> None:
    """Identity is the trivial conversion, whatever the scale."""
    assert conversion(parse(code), parse(code)) == Conversion()
