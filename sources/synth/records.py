"""The records of a plan, patient by patient, in the order in which an export would give them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from sources.synth.billing import benefits, claims
from sources.synth.care import goals, plans, provenances, teams
from sources.synth.course import live
from sources.synth.draws import VERSIONS, stream
from sources.synth.encounters import encounters
from sources.synth.findings import allergies, conditions
from sources.synth.ink import Ink
from sources.synth.life import Life
from sources.synth.medication import administrations, requests
from sources.synth.observations import observations
from sources.synth.people import coverage, patient, related
from sources.synth.places import groups, locations, medications, organizations, practitioners, roles
from sources.synth.plan import TYPES, SynthPlan
from sources.synth.region import INSURERS, PATIENTS, Region, region
from sources.synth.reports import diagnostic_reports, documents, imaging_studies, orders, specimens
from sources.synth.revisions import revised
from sources.synth.treatments import devices, immunizations, procedures

T = TypeVar("T")

_OF_REGION: Mapping[str, Callable[[Region, Ink], list[str]]] = {
    "Organization": organizations,
    "Location": locations,
    "Practitioner": practitioners,
    "PractitionerRole": roles,
    "Medication": medications,
}
_OF_LIFE: Mapping[str, Callable[[Life, Ink], list[str]]] = {
    "Patient": patient,
    "RelatedPerson": related,
    "Coverage": coverage,
    "Encounter": encounters,
    "Condition": conditions,
    "AllergyIntolerance": allergies,
    "Procedure": procedures,
    "Immunization": immunizations,
    "MedicationRequest": requests,
    "MedicationAdministration": administrations,
    "Device": devices,
    "ServiceRequest": orders,
    "Specimen": specimens,
    "Observation": observations,
    "DiagnosticReport": diagnostic_reports,
    "ImagingStudy": imaging_studies,
    "DocumentReference": documents,
    "CareTeam": teams,
    "Goal": goals,
    "CarePlan": plans,
    "Claim": claims,
    "ExplanationOfBenefit": benefits,
    "Provenance": provenances,
}


@dataclass(frozen=True, slots=True)
class Batch:
    """The lines of one patient (``index``) or of a region (``index`` None), by type.

    ``versions`` counts those that are later versions of another line.
    """

    index: int | None
    lines: Mapping[str, list[str]]
    versions: int


def batches(plan: SynthPlan, enough: Callable[[int], bool]) -> Iterator[Batch]:
    """Regions and their patients; ``enough`` is asked with the count of patients before each new one.

    A region's own resources come before its patients, its Groups after them. Only one patient's lines are
    held.
    """
    index, members = 0, _Registers()
    here = region(plan.seed, 0)
    while not enough(index):
        if index % PATIENTS == 0:
            if index:
                yield from _closed(plan, here, members)
            here, members = region(plan.seed, index // PATIENTS), _Registers()
            yield _batch(plan, None, here.number, _OF_REGION, here)
        life = live(plan.seed, index, here, plan.now(), _quota(plan, index))
        members.add(life)
        yield _batch(plan, index, index, _OF_LIFE, life)
        index += 1
    yield from _closed(plan, here, members)


class _Registers:
    """Whom a region's Groups name."""

    def __init__(self) -> None:
        self.diabetes: list[str] = []
        self.insured: list[str] = []

    def add(self, life: Life) -> None:
        identifier = life.uid("Patient")
        if any(p.diagnosis.name == "diabetes" for p in life.problems):
            self.diabetes.append(identifier)
        if life.insurer == INSURERS[0]:
            self.insured.append(identifier)


def _quota(plan: SynthPlan, index: int) -> int | None:
    """How many observations this patient has of those planned."""
    if plan.observations is None:
        return None
    return (index + 1) * plan.observations // plan.patients - index * plan.observations // plan.patients


def _batch(
    plan: SynthPlan,
    index: int | None,
    number: int,
    makers: Mapping[str, Callable[[T, Ink], list[str]]],
    of: T,
) -> Batch:
    """Render what is wanted of a patient or region, each type from its own stream of numbers."""
    lines: dict[str, list[str]] = {}
    versions = 0
    for place, kind in enumerate(TYPES):
        if kind not in makers or (plan.types is not None and kind not in plan.types):
            continue
        ink = Ink(stream(plan.seed, place, number), plan.now(), plan.meta)
        made = makers[kind](of, ink)
        if plan.versions:
            rng = stream(plan.seed, VERSIONS, number * 64 + place)
            made, more = revised(made, kind, plan.versions, rng, plan.now())
            versions += more
        if made:
            lines[kind] = made
    return Batch(index, lines, versions)


def _closed(plan: SynthPlan, here: Region, members: _Registers) -> Iterator[Batch]:
    """The Groups of a region whose patients are all there."""
    makers: Mapping[str, Callable[[Region, Ink], list[str]]] = {
        "Group": lambda of, ink: groups(of, ink, (members.diabetes, members.insured))
    }
    batch = _batch(plan, None, here.number, makers, here)
    if batch.lines:
        yield batch
