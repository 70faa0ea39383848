"""UCUM expressions: grammar, dimension, factor."""

from __future__ import annotations

import contextlib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.units.essence import essence
from transforms.units.ucum import InvalidUnitError, is_valid, parse

VALID = [
    "m", "10*-3/uL", "10*+3/uL", "1{c}", "{e}", "dB[10.nV]", "/[HPF]", "mmol/(8.h.kg)", "dyn.s/(cm5.m2)", "%[slope]",
    "cm[H2O]/(s.m)", "g.m/m2{hb}", "10.L/(min.m2)", "{1.73_m2}", "[m/s2/Hz^(1/2)]", "bit_s", "''", "[in_i'Hg]", "",
]  # fmt: skip
INVALID = [
    "m/", "/", "(", "(m", "m)", "{|}1", "molv", "g/12h", "kg[H20]", "cm[H20]", "ug(8hr)", "[M'U]", "m..s", "m s", "0.m",
    "µg", "{ü}", "{a", "a}", "m{a}{b}", "2m", "kkg", "[degF]k", "m2.3.", "m--2", "10**3", "10-3/uL", "m123",
]  # fmt: skip


@pytest.mark.parametrize("text", VALID)
def test_valid(text: str) -> None:
    """Expressions of the grammar."""
    assert is_valid(text)


@pytest.mark.parametrize("text", INVALID)
def test_invalid(text: str) -> None:
    """What only looks like one is refused, with its place or its reason."""
    with pytest.raises(InvalidUnitError):
        parse(text)


def test_every_atom_of_ucum_is_understood() -> None:
    """All definitions resolve to base units."""
    for code in essence().atoms:
        parse(code)


@pytest.mark.parametrize(
    ("text", "factor", "dimension"),
    [
        ("mg/dL", "0.001 / 0.0001", (("g", 1), ("m", -3))),
        ("mm[Hg]", "133322", (("g", 1), ("m", -1), ("s", -2))),
        ("[lb_av]", "453.59237", (("g", 1),)),
        ("10*3/uL", "1e12", (("m", -3),)),
        ("U/L", "1e-6/60/0.001", (("m", -3), ("mol", 1), ("s", -1))),
        ("osm", "1", (("mol", 1),)),
        ("[IU]/mL", "1e6", (("[iU]", 1), ("m", -3))),
        ("mg/kg/h", "1e-6/3600", (("s", -1),)),
        ("mg/kg.h", "1e-6*3600", (("s", 1),)),
        ("m2.m-2", "1", ()),
    ],
)
def test_factor_and_dimension(text: str, factor: str, dimension: tuple[tuple[str, int], ...]) -> None:
    """Exact values in metre, second and gram; `/` binds to the next term only."""
    unit = parse(text)
    parts = [[Fraction(f) for f in part.split("/")] for part in factor.split("*")]
    wanted = Fraction(1)
    for first, *rest in parts:
        wanted *= first
        for divisor in rest:
            wanted /= divisor
    assert (unit.factor, unit.dimension) == (wanted, dimension)


def test_bases_of_their_own() -> None:
    """Amounts, equivalents and arbitrary units never become plain numbers."""
    assert parse("mol").dimension == (("mol", 1),)
    assert parse("eq").dimension == (("eq", 1),)
    assert parse("[CFU]").dimension != parse("[PFU]").dimension


def test_a_special_unit_in_a_product_is_a_base_of_its_own() -> None:
    """UCUM 4.2 gives `Cel/min` no meaning in kelvin."""
    assert parse("Cel/min").dimension not in (parse("K/min").dimension, parse("[degF]/min").dimension)
    assert parse("Cel/min").dimension == parse("Cel/h").dimension


def test_what_is_kept_of_the_text() -> None:
    """Annotations in order; whether moles occur at all; numbers that are no powers of ten."""
    assert parse("10*3{cells}/uL").annotations == ("cells",)
    assert parse("mmol/mol").amounts
    assert not parse("%").amounts
    assert parse("mg/(24.h)").numbers
    assert not parse("10.L/min").numbers


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No other error, whatever comes."""
    with contextlib.suppress(InvalidUnitError):
        parse(text)


@given(st.text(alphabet="mgLsh10*^[]{}()./-+ %'iUHol", max_size=30))
def test_near_misses_too(text: str) -> None:
    """Texts of the alphabet of units."""
    try:
        unit = parse(text)
    except InvalidUnitError:
        return
    assert unit.factor > 0
    assert unit.dimension == tuple(sorted(unit.dimension))


@given(st.integers(min_value=50, max_value=5000))
def test_depth_is_bounded(depth: int) -> None:
    """Nested brackets end in a refusal, not in a full stack."""
    with pytest.raises(InvalidUnitError):
        parse("(" * depth)
