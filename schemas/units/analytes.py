"""What LOINC codes measure, as far as numbers need it: `analytes.csv` and `preferred_units.csv`.

Molar masses are summed over the formula from the IUPAC standard atomic weights of 2021. What is a mixture or a protein
has none, so its mass never becomes an amount. LOINC content under the notice in `LOINC_NOTICE.txt`.
"""

from __future__ import annotations

import csv
import functools
import re
from dataclasses import dataclass
from fractions import Fraction
from importlib.resources import files

# IUPAC 2021 standard atomic weights, conventional values where the weight is an interval.
_WEIGHTS = {
    "H": "1.008", "Li": "6.94", "C": "12.011", "N": "14.007", "O": "15.999", "Na": "22.98976928", "Mg": "24.305",
    "P": "30.973761998", "S": "32.06", "Cl": "35.45", "K": "39.0983", "Ca": "40.078", "Fe": "55.845",
    "Co": "58.933194", "I": "126.90447", "Pb": "207.2",
}  # fmt: skip
_ELEMENT = re.compile(r"([A-Z][a-z]?)([0-9]*)")


@dataclass(frozen=True, slots=True)
class Analyte:
    """``molar_mass`` in g/mol and ``charge`` in equivalents a mole are None where the analyte has none that is
    agreed on; ``rule`` names a conversion of its own.
    """

    name: str
    molar_mass: Fraction | None
    charge: int | None
    rule: str


@functools.cache
def analytes() -> dict[str, Analyte]:
    """What is measured, by LOINC code."""
    found: dict[str, Analyte] = {}
    for row in _rows("analytes.csv"):
        mass = molar_mass(row["formula"]) if row["formula"] else None
        one = Analyte(row["analyte"], mass, int(row["charge"]) if row["charge"] else None, row["rule"])
        found |= dict.fromkeys(row["loinc"].split(), one)
    return found


@functools.cache
def preferred_units() -> dict[str, str]:
    """The unit of this project's choice, UCUM, by LOINC code."""
    return {row["loinc"]: row["ucum"] for row in _rows("preferred_units.csv")}


def molar_mass(formula: str) -> Fraction:
    """Grams a mole of a sum formula (`C6H12O6`), or of the number that stands in its place."""
    if formula[0].isdecimal():
        return Fraction(formula)
    return sum((Fraction(_WEIGHTS[name]) * int(count or 1) for name, count in _ELEMENT.findall(formula)), Fraction(0))


def _rows(name: str) -> list[dict[str, str]]:
    text = (files("schemas.units") / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
