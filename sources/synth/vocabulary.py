"""The diagnoses, procedures, drugs, vaccines, allergens and names of which records are made.

Read from the tables in ``terms/``; ``terms/NOTICE.txt`` says where the codes come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from sources.synth.measures import Panel, panels
from sources.synth.tables import rows


@dataclass(frozen=True, slots=True)
class Drug:
    """An RxNorm drug and how it is usually given."""

    name: str
    rxnorm: str
    display: str
    form: str
    route: str
    dose: str
    unit: str
    ucum: str
    times: int
    period: int
    period_unit: str
    frequency: str
    days: int
    injected: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """A SNOMED CT procedure, with its length in minutes and price in dollars."""

    name: str
    snomed: str
    display: str
    minutes: int
    price: float
    site: str
    site_display: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A disease in SNOMED CT and ICD-10-CM, whom it befalls (ages in years), what is done and measured.

    ``labs`` replaces the span of some analytes, by LOINC code.
    """

    name: str
    snomed: str
    display: str
    icd10: str
    icd10_display: str
    chronic: bool
    youngest: int
    oldest: int
    sex: str
    drugs: tuple[Drug, ...]
    operations: tuple[Operation, ...]
    panels: tuple[Panel, ...]
    labs: Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Vaccine:
    """A CVX vaccine and the ages (years) at which it is given."""

    cvx: str
    display: str
    youngest: int
    oldest: int
    site: str


@dataclass(frozen=True, slots=True)
class Allergen:
    """What a person does not bear, and how it shows."""

    system: str
    code: str
    display: str
    kind: str
    category: str
    reaction: str
    reaction_display: str


@cache
def drugs() -> Mapping[str, Drug]:
    """All drugs by name."""
    return {
        row["name"]: Drug(
            row["name"],
            row["rxnorm"],
            row["display"],
            row["form"],
            row["route"],
            row["dose"],
            row["unit"],
            row["ucum"],
            int(row["times"]),
            int(row["period"]),
            row["period_unit"],
            row["frequency"],
            int(row["days"]),
            row["injected"] == "1",
        )
        for row in rows("drugs")
    }


@cache
def operations() -> Mapping[str, Operation]:
    """All procedures by name."""
    return {
        row["name"]: Operation(
            row["name"],
            row["snomed"],
            row["display"],
            int(row["minutes"]),
            float(row["price"]),
            row["body_site"],
            row["body_site_display"],
        )
        for row in rows("procedures")
    }


@cache
def diagnoses() -> tuple[Diagnosis, ...]:
    """All diagnoses, the chronic ones first."""
    return tuple(
        Diagnosis(
            row["name"],
            row["snomed"],
            row["display"],
            row["icd10"],
            row["icd10_display"],
            row["chronic"] == "1",
            int(row["youngest"]),
            int(row["oldest"]),
            row["sex"],
            tuple(drugs()[name] for name in row["drugs"].split()),
            tuple(operations()[name] for name in row["procedures"].split()),
            tuple(panels()[name] for name in row["panels"].split()),
            dict(_lab(text) for text in row["labs"].split()),
        )
        for row in rows("diagnoses")
    )


def _lab(text: str) -> tuple[str, tuple[float, float]]:
    loinc, bottom, top = text.split(":")
    return loinc, (float(bottom), float(top))


@cache
def vaccines() -> tuple[Vaccine, ...]:
    """All vaccines."""
    return tuple(
        Vaccine(row["cvx"], row["display"], int(row["youngest"]), int(row["oldest"]), row["site"])
        for row in rows("vaccines")
    )


@cache
def allergens() -> tuple[Allergen, ...]:
    """All allergens."""
    keys = ("system", "code", "display", "kind", "category", "reaction", "reaction_display")
    return tuple(Allergen(*(row[key] for key in keys)) for row in rows("allergens"))


@cache
def names(kind: str) -> tuple[str, ...]:
    """Given names (``female``, ``male``), ``family`` and ``street`` names, ``city|state|postal code``."""
    return tuple(row["name"] for row in rows("names") if row["kind"] == kind)
