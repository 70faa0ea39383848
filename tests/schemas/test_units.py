"""The tables about units: every row can be used, and none says two things."""

from __future__ import annotations

import csv
from fractions import Fraction
from importlib.resources import files

import pytest

from schemas.units.aliases import spellings
from schemas.units.analytes import analytes, molar_mass
from schemas.units.essence import essence


def rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((files("schemas.units") / name).read_text(encoding="utf-8").splitlines()))


def test_ucum_is_whole_and_as_published() -> None:
    """Version 2.2 with all prefixes, base units and units, beside its licence."""
    text = (files("schemas.units") / "ucum-essence.xml").read_text(encoding="ascii")
    assert 'version="2.2"' in text
    assert (len(essence().prefixes), len(essence().atoms)) == (24, 312)
    assert "copyright" in (files("schemas.units") / "UCUM_LICENSE.md").read_text(encoding="utf-8").lower()


def test_every_alias_has_its_evidence_and_stands_once() -> None:
    """No row contradicts another; statuses are known; what is mapped says to what."""
    seen = set()
    for row in rows("aliases.csv"):
        key = (row["scope"], row["spelling"].casefold() if row["any_case"] == "yes" else row["spelling"])
        assert key not in seen
        seen.add(key)
        assert row["evidence"]
        assert row["scope"] in ("whole", "part", "annotation")
        assert row["status"] in ("mapped", "not_a_unit", "ambiguous")
        assert row["ucum"] or row["status"] != "mapped"


def test_exact_spellings_come_before_those_of_any_case() -> None:
    """`u` alone is open, though many parts are folded."""
    assert spellings("whole").find("u/l") is not None
    assert spellings("whole").find("FAHRENHEIT") == spellings("whole").find("Fahrenheit")
    assert spellings("part").find("nothing of that kind") is None


def test_no_code_has_two_preferred_units_or_analytes() -> None:
    """A LOINC code stands once in each table."""
    preferred = [row["loinc"] for row in rows("preferred_units.csv")]
    measured = [code for row in rows("analytes.csv") for code in row["loinc"].split()]
    for codes in (preferred, measured):
        assert len(set(codes)) == len(codes)
        assert all(code.replace("-", "").isdecimal() for code in codes)


@pytest.mark.parametrize(
    ("formula", "mass"), [("H", "1.008"), ("C6H12O6", "180.156"), ("NH3", "17.031"), ("16.5", "16.5")]
)
def test_molar_mass(formula: str, mass: str) -> None:
    """Summed over the formula."""
    assert molar_mass(formula) == Fraction(mass)


def test_urea_nitrogen_is_not_urea() -> None:
    """Two nitrogen atoms for each urea."""
    known = analytes()
    assert float(known["3094-0"].molar_mass or 0) == pytest.approx(28.014)
    assert float(known["3091-6"].molar_mass or 0) == pytest.approx(60.056)
