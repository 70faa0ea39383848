"""Quantities of a frame in the unit of their code."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.systems import UCUM
from schemas.units.analytes import analytes, preferred_units
from transforms.units.harmonise import Harmoniser, Plan, harmonise
from transforms.units.resolve import UnitStatus

HARMONISER = Harmoniser()
GLUCOSE, TSH, AST, PH, WBC, HB, SODIUM, HBA1C = (
    "2345-7", "3016-3", "1920-8", "11558-4", "6690-2", "718-7", "2951-2", "4548-4"
)  # fmt: skip


def plan(
    unit: str | None = None, code: str | None = None, system: str | None = None, loinc: str | None = None, **more: bool
) -> Plan:
    return HARMONISER.plan(unit, code, system, loinc, **more)


def value(number: float, made: Plan) -> float:
    return float(made.conversion.of(Fraction(number)))


@pytest.mark.parametrize(
    ("loinc", "unit", "number", "wanted", "status"),
    [
        (GLUCOSE, "mmol/L", 5.5, (99.0858, "mg/dL"), "ucum"),
        (GLUCOSE, "g/L", 1, (100, "mg/dL"), "ucum"),
        ("14682-9", "mg/dL", 1, (88.401697, "umol/L"), "ucum"),
        ("3094-0", "mmol/L", 5, (14.007, "mg/dL"), "ucum"),
        (SODIUM, "mEq/L", 140, (140, "mmol/L"), "mapped"),
        ("1994-3", "mEq/L", 2.4, (1.2, "mmol/L"), "mapped"),
        (HBA1C, "mmol/mol", 48, (6.54304, "%"), "ucum"),
        ("59261-8", "%", 6.5, (47.5295, "mmol/mol"), "ucum"),
        (AST, "IU/L", 30, (30, "U/L"), "mapped"),
        (TSH, "uU/mL", 2, (2, "m[iU]/L"), "mapped"),
        (PH, "units", 7.4, (7.4, "[pH]"), "mapped"),
        (WBC, "G/L", 5, (5, "10*3/uL"), "mapped"),
        (HB, "G/L", 140, (14, "g/dL"), "mapped"),
        ("8310-5", "F", 98.6, (37, "Cel"), "mapped"),
        ("29463-7", "lbs", 150, (68.0388555, "kg"), "mapped"),
    ],
)
def test_the_unit_of_the_code(loinc: str, unit: str, number: float, wanted: tuple[float, str], status: str) -> None:
    """By factor, molar mass, charge or the analyte's own rule; a code decides what the text leaves open."""
    made = plan(unit, loinc=loinc)
    assert (made.unit, made.status.value) == (wanted[1], status)
    assert value(number, made) == pytest.approx(wanted[0], rel=1e-6)


@pytest.mark.parametrize(
    ("unit", "loinc", "status"),
    [
        ("mmol/L", "1751-7", "incompatible"),  # albumin: a protein has no agreed molar mass
        ("mg/dL", "6690-2", "incompatible"),
        ("units", "31017-7", "not_a_unit"),
        ("G/L", None, "ambiguous"),
        ("ng/mL", "48065-7", "incompatible"),  # FEU or DDU: twice as much
        (None, GLUCOSE, "absent"),
        ("mmol/mmol K", GLUCOSE, "unknown"),
    ],
)
def test_nothing_is_guessed(unit: str | None, loinc: str | None, status: str) -> None:
    """No unit, no value; the status says why."""
    made = plan(unit, loinc=loinc)
    assert (made.unit, made.status.value) == ("", status)


def test_without_a_preferred_unit_the_unit_stays() -> None:
    """In UCUM's spelling; a dose never becomes a body weight."""
    assert plan("mg") == Plan("mg", UnitStatus.UCUM)
    assert plan("mcg/kg/min").unit == "ug/kg/min"
    assert plan("lbs").unit == "[lb_av]"


@pytest.mark.parametrize(
    ("unit", "made"), {"F": "Cel", "kPa": "mm[Hg]", "lbs": "kg", "in": "cm", "mg": "mg", "mm": "mm"}.items()
)
def test_few_dimensions_of_observations_have_their_unit(unit: str, made: str) -> None:
    """Temperature, pressure, body length and body weight, without a code."""
    assert plan(unit, observed=True).unit == made


def test_display_and_code_of_the_unit() -> None:
    """The code of UCUM's system says what the text leaves open; where the two disagree nothing is said."""
    assert plan("U", "U", UCUM).unit == "U"
    assert plan("beats/min", "/min", UCUM).unit == "/min"
    assert plan("Celsius", "Cel", UCUM).unit == "Cel"
    assert plan("mg/dL", "mmol/L", UCUM).status is UnitStatus.AMBIGUOUS
    assert plan("mEq/L", "mmol/L", UCUM, SODIUM).unit == "mmol/L"
    assert plan("mg/dL", "258797006", "http://snomed.info/sct").unit == "mg/dL"
    assert plan(None, "mg/dL", None).unit == "mg/dL"
    assert plan("K/uL", "K/uL", UCUM).unit == "10*3/uL"
    assert plan("IU/L", "U/L", UCUM).unit == "U/L"


def test_a_user_s_units_come_first() -> None:
    """In place of the project's, or where it has none."""
    mine = Harmoniser({GLUCOSE: "mmol/L", "x": "g"})
    assert mine.plan("mg/dL", None, None, GLUCOSE).unit == "mmol/L"
    assert mine.plan("mg", None, None, "x").unit == "g"


def test_the_preferred_unit_of_every_analyte_has_a_way_between_mass_and_amount() -> None:
    """All pairs of the table convert both ways."""
    for loinc, analyte in analytes().items():
        if analyte.molar_mass is not None and loinc in preferred_units():
            assert plan("mg/dL", loinc=loinc).unit == preferred_units()[loinc]
            assert plan("mmol/L", loinc=loinc).unit == preferred_units()[loinc]


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    columns = {
        "value_number": pl.Float64,
        "value_unit": pl.String,
        "value_unit_code": pl.String,
        "value_unit_system": pl.String,
    }
    return pl.DataFrame(rows, schema=columns)


def made_of(rows: list[dict[str, Any]], loinc: list[str | None]) -> list[tuple[Any, ...]]:
    columns = harmonise(frame(rows), "value", pl.Series(loinc, dtype=pl.String), HARMONISER, observed=True)
    assert [c.name for c in columns] == ["harmonized_value", "harmonized_unit", "unit_status"]
    return list(zip(*columns, strict=True))


def test_a_frame() -> None:
    """Each row by its own unit and code; rows without a quantity stay null; special scales among linear ones."""
    rows = [
        {"value_number": 5.5, "value_unit": "mmol/L"},
        {"value_number": 1.0, "value_unit": "mg/dL", "value_unit_code": "mg/dL", "value_unit_system": UCUM},
        {},
        {"value_number": 40.0, "value_unit": "nmol/L"},
        {"value_unit": "mg/dL"},
        {"value_number": 3.0},
    ]
    codes = [GLUCOSE, None, None, PH, GLUCOSE, GLUCOSE]
    assert [(round(v, 4) if v else v, u, s) for v, u, s in made_of(rows, codes)] == [
        (99.0858, "mg/dL", "ucum"),
        (1.0, "mg/dL", "ucum"),
        (None, None, None),
        (7.3979, "[pH]", "ucum"),
        (None, "mg/dL", "ucum"),
        (None, None, "absent"),
    ]


def test_no_quantity_no_columns() -> None:
    """A frame that lacks the element gives nothing."""
    assert harmonise(pl.DataFrame({"id": ["a"]}), "value", None, HARMONISER, observed=True) == []


@given(st.permutations(range(12)))
def test_the_order_of_rows_changes_nothing(order: list[int]) -> None:
    """What a row becomes depends on the row alone."""
    units = ["mg/dL", "mmol/L", "K/uL", None, "N/A", "F", "[pH]", "nmol/L", "IU/L", "mg", "G/L", "kPa"]
    codes = [GLUCOSE, GLUCOSE, WBC, None, None, None, PH, PH, AST, None, WBC, None]
    rows = [{"value_number": float(i + 1), "value_unit": unit} for i, unit in enumerate(units)]
    straight = made_of(rows, list(codes))
    shuffled = made_of([rows[i] for i in order], [codes[i] for i in order])
    assert shuffled == [straight[i] for i in order]
