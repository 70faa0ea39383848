"""The shared unit cases: UCUM's suite, clinical conversions, dirty spellings, molar masses, MIMIC-IV's units."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from decimal import Context, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from transforms.units.ask import Answer, convert
from transforms.units.harmonise import Harmoniser
from transforms.units.resolve import UnitStatus, resolve
from transforms.units.ucum import described, is_valid, parse

pytestmark = pytest.mark.conformance

FOLDER = Path(os.environ.get("CLINMART_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "units"
HARMONISER = Harmoniser()


def lines(name: str) -> list[dict[str, Any]]:
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"SKIPPED LOUDLY: no {path}; set CLINMART_SHARED")
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def asked(inputs: dict[str, str]) -> Answer:
    return convert(inputs["value"], inputs["srcUnit"], inputs["dstUnit"], "", HARMONISER)


def test_ucum_validation() -> None:
    """All of UCUM's own cases."""
    cases = [c for c in lines("ucum_cases_dev.jsonl") if c["category"] == "validation"]
    wrong = [c["id"] for c in cases if is_valid(c["inputs"]["unit"]) is not c["expected"]["valid"]]
    assert (len(cases), wrong) == (263, [])


def test_products_and_quotients() -> None:
    """UCUM's own arithmetic: base units in canonical order, to the digits that the case shows."""
    cases = [c for c in lines("ucum_cases_dev.jsonl") if c["category"] in ("multiplication", "division")]
    for case in cases:
        (one, first), (other, second) = (
            (Fraction(case["inputs"][f"v{n}"]), parse(case["inputs"][f"u{n}"])) for n in (1, 2)
        )
        by = "/" if case["category"] == "division" else "."
        unit = parse(f"({case['inputs']['u1']}){by}({case['inputs']['u2']})")
        value = one / other if by == "/" else one * other
        shown = case["expected"]["value"]
        digits = len(shown.replace(".", "").lstrip("0"))
        assert described(unit.dimension) == case["expected"]["unit"]
        assert unit.factor == (first.factor / second.factor if by == "/" else first.factor * second.factor)
        assert Context(prec=digits).create_decimal(repr(float(value))) == Decimal(shown)
    assert len(cases) == 3


@pytest.mark.parametrize("name", ["ucum_cases_dev.jsonl", "ucum_clinical_dev.jsonl"])
def test_conversions(name: str) -> None:
    """UCUM's own and clinical ones; what must be refused is refused."""
    cases = [c for c in lines(name) if c["category"] in ("conversion", "clinical_conversion")]
    for case in cases:
        made = asked(case["inputs"])
        if case["expected"].get("refuse"):
            assert made.value == "", case["id"]
        else:
            assert float(made.value) == pytest.approx(float(case["expected"]["value"]), rel=1e-6), case["id"]
    assert len(cases) in (16, 46)


def test_dirty_spellings() -> None:
    """Each to its unit, or to none."""
    cases = lines("dirty_units_dev.csv")
    assert {c["raw"]: c["ucum"] for c in cases} == {c["raw"]: resolve(c["raw"]).ucum for c in cases}


def test_molar_pairs() -> None:
    """All pairs both ways, by the LOINC code of either side; without a code none."""
    for pair in lines("molar_mass.csv"):
        for one, other, loinc, factor in (
            (pair["ucum_mass"], pair["ucum_molar"], pair["loinc_mass"], pair["factor_mass_to_molar"]),
            (pair["ucum_molar"], pair["ucum_mass"], pair["loinc_molar"], pair["factor_molar_to_mass"]),
        ):
            made = convert("10", one, other, loinc, HARMONISER)
            assert float(made.value) == pytest.approx(10 * float(factor), rel=1e-4), pair["analyte"]
            assert convert("10", one, other, "", HARMONISER).value == ""


def test_mimic_units() -> None:
    """By rows of laboratory results: four in five resolve, nothing that is no unit becomes one.

    The rest have no unit, a word in its place, or several meanings (`U`, `%|g/dL`).
    """
    shares: Counter[UnitStatus] = Counter()
    for row in lines("mimic_d_labitems_to_loinc.csv"):
        shares[resolve(row["valueuom"]).status] += int(row["labevents_row_count"] or 0)
    total = shares.total()
    assert (shares[UnitStatus.UCUM] + shares[UnitStatus.MAPPED]) / total == pytest.approx(0.7975, abs=1e-4)
    assert shares[UnitStatus.AMBIGUOUS] / total == pytest.approx(0.0731, abs=1e-4)
    assert shares[UnitStatus.NOT_A_UNIT] / total == pytest.approx(0.0667, abs=1e-4)
    assert shares[UnitStatus.UNKNOWN] == 0
    friends = {"K/uL": "10*3/uL", "m/uL": "10*6/uL", "N/A": "", "U": "", "units": "", "Ratio": ""}
    assert {text: resolve(text).ucum for text in friends} == friends
