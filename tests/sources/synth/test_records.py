"""The generator's records: valid FHIR R4, coherent, and as varied as clinical systems are."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from sources.synth import TYPES, SynthReport

Resource = dict[str, Any]
Resources = dict[str, list[Resource]]

_WRITTEN = (  # trailing zeros, integers, exponents, offsets, fractions of seconds
    r'"value":\d+\.\d*0[,}]',
    r'"value":\d+[,}]',
    r'"value":\d\.\de\d',
    r"-05:00\"",
    r"-04:00\"",
    r"\+05:30\"",
    r"\dZ\"",
    r":\d\d\.\d+[Z+-]",
)
_SAMPLE = 60  # resources of each type through fhir.resources, which is slow


def _references(node: Any) -> Iterator[str]:
    """All literal references below a node."""
    if isinstance(node, dict):
        if isinstance(node.get("reference"), str):
            yield node["reference"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_every_type_is_made(resources: Resources) -> None:
    """An export without a subset of types has all of them."""
    assert set(resources) == set(TYPES)


@pytest.mark.parametrize("kind", TYPES)
def test_fhir_resources_accepts_them(resources: Resources, kind: str) -> None:
    """The R4B models of fhir.resources accept a sample of every type."""
    model = get_fhir_model_class(kind)
    for resource in resources[kind][:_SAMPLE]:
        model.model_validate(resource)


@pytest.mark.conformance
def test_the_official_schema_accepts_them(resources: Resources, r4_schema: Any) -> None:
    """No resource breaks the R4 schema: elements, required ones, JSON types, required codes, patterns."""
    faults = [fault for lines in resources.values() for line in lines for fault in r4_schema.faults(line)]
    assert faults == []


@pytest.mark.conformance
def test_the_schema_check_sees_faults(resources: Resources, r4_schema: Any) -> None:
    """The check above is not blind: a bogus code, a missing element and an unknown one are found."""
    observation = dict(resources["Observation"][0], status="bogus", colour="red")
    del observation["code"]
    assert len(r4_schema.faults(observation)) == 3


def test_ids_are_unique(resources: Resources) -> None:
    """No two resources of a type share an id."""
    for kind, lines in resources.items():
        assert len({line["id"] for line in lines}) == len(lines), kind


def test_references_resolve(resources: Resources) -> None:
    """Every relative reference names a resource of the export, every fragment a contained one."""
    known = {f"{kind}/{line['id']}" for kind, lines in resources.items() for line in lines}
    for lines in resources.values():
        for line in lines:
            contained = {f"#{inner['id']}" for inner in line.get("contained", ())}
            assert set(_references(line)) <= known | contained


def test_reports_name_their_observations(resources: Resources) -> None:
    """A report's results have the same subject and encounter as the report."""
    observations = {line["id"]: line for line in resources["Observation"]}
    for report in resources["DiagnosticReport"]:
        for result in report["result"]:
            observation = observations[result["reference"].split("/")[1]]
            assert observation["encounter"] == report["encounter"]
            assert observation["subject"] == report["subject"]


def test_observations_lie_within_their_encounter(resources: Resources) -> None:
    """An effective instant lies between the encounter's start and end."""
    encounters = {f"Encounter/{line['id']}": line["period"] for line in resources["Encounter"]}
    seen = 0
    for line in resources["Observation"]:
        text = line.get("effectiveDateTime") or line.get("effectiveInstant") or line["effectivePeriod"]["start"]
        period = encounters[line["encounter"]["reference"]]
        if len(text) == 10:
            assert period["start"][:10] <= text <= period["end"][:10]
        else:
            start, end = _instant(period["start"]), _instant(period["end"])
            assert start <= _instant(text) <= end.replace(microsecond=999_999)
            seen += 1
    assert seen > 1000


def test_encounters_lie_within_the_life(resources: Resources) -> None:
    """Nobody is treated before birth or after death, nor twice at a time."""
    lives = {}
    for patient in resources["Patient"]:
        born = patient["birthDate"]
        died = patient.get("deceasedDateTime", "9999")[:10]
        lives[f"Patient/{patient['id']}"] = born, died
    visits = defaultdict(list)
    for encounter in resources["Encounter"]:
        born, died = lives[encounter["subject"]["reference"]]
        start, end = encounter["period"]["start"], encounter["period"]["end"]
        assert born <= start[: len(born)]
        assert end[:10] <= died
        assert _instant(start) < _instant(end)
        visits[encounter["subject"]["reference"]].append((_instant(start), _instant(end)))
    for spans in visits.values():
        ordered = sorted(spans)
        assert all(one[1] < two[0] for one, two in pairwise(ordered))


def test_conditions_follow_their_rules(resources: Resources) -> None:
    """con-4 and con-5: what was recorded by mistake has no clinical status, what has ended is not active."""
    statuses: Counter[str] = Counter()
    for condition in resources["Condition"]:
        verification = condition["verificationStatus"]["coding"][0]["code"]
        statuses[verification] += 1
        assert ("clinicalStatus" in condition) == (verification != "entered-in-error")
        if "abatementDateTime" in condition:
            assert condition["clinicalStatus"]["coding"][0]["code"] in ("resolved", "remission")
            assert condition["abatementDateTime"] >= condition["onsetDateTime"][:10]
    assert statuses["confirmed"] > 50


def test_nothing_is_later_than_the_export(resources: Resources, clean: tuple[Path, SynthReport]) -> None:
    """Every lastUpdated lies before the manifest's transactionTime, and after the birth of its patient."""
    now = _instant(clean[1].transaction_time)
    for lines in resources.values():
        for line in lines:
            assert _instant(line["meta"]["lastUpdated"]) < now


def test_claims_add_up(resources: Resources) -> None:
    """A claim's total is the sum of its items, and so is the benefit's submitted total."""
    for kind in ("Claim", "ExplanationOfBenefit"):
        for line in resources[kind]:
            total = line["total"]["value"] if kind == "Claim" else line["total"][0]["amount"]["value"]
            assert total == pytest.approx(sum(item["net"]["value"] for item in line["item"]))


def test_body_measures_agree(resources: Resources) -> None:
    """Weight, height and body mass index of a run belong together, and grow with age."""
    runs: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    to_si = {"kg": 1.0, "lbs": 1 / 2.20462, "[lb_av]": 1 / 2.20462, "cm": 0.01, "in": 0.0254, "inch": 0.0254}
    for line in resources["Observation"]:
        code = {coding["code"] for coding in line["code"]["coding"]} & {"29463-7", "8302-2", "39156-5"}
        if code and "valueQuantity" in line:
            quantity = line["valueQuantity"]
            factor = to_si.get(quantity["unit"], 1.0)
            runs[line["encounter"]["reference"], line["subject"]["reference"]][code.pop()] = quantity["value"] * factor
    whole = [run for run in runs.values() if len(run) == 3]
    assert len(whole) > 50
    for run in whole:
        assert run["39156-5"] == pytest.approx(run["29463-7"] / run["8302-2"] ** 2, rel=0.03)
    assert min(run["8302-2"] for run in whole) < 1.2
    assert max(run["8302-2"] for run in whole) > 1.6


def test_units_of_one_code_differ(resources: Resources) -> None:
    """Glucose comes in mg/dL and mmol/L, coded and as text, with numbers to match."""
    found: dict[tuple[str, str | None], list[float]] = defaultdict(list)
    for line in resources["Observation"]:
        if any(coding["code"] == "2345-7" for coding in line["code"]["coding"]) and "valueQuantity" in line:
            quantity = line["valueQuantity"]
            found[quantity["unit"], quantity.get("code")].append(quantity["value"])
    assert set(found) == {("mg/dL", "mg/dL"), ("mg/dl", None), ("mmol/L", "mmol/L"), ("mmol/l", None)}
    assert min(found["mg/dL", "mg/dL"]) > 40
    assert max(found["mmol/L", "mmol/L"]) < 20


def test_observations_are_varied(resources: Resources, clean: tuple[Path, SynthReport]) -> None:
    """All kinds of values, statuses, comparators, offsets and digits occur."""
    lines = resources["Observation"]
    elements = Counter(name for line in lines for name in line)
    for name in ("Quantity", "CodeableConcept", "String", "Integer", "DateTime"):
        assert elements[f"value{name}"], name
    for name in ("component", "dataAbsentReason", "interpretation", "referenceRange", "note", "specimen"):
        assert elements[name], name
    for name in ("effectiveDateTime", "effectivePeriod", "effectiveInstant"):
        assert elements[name], name
    assert {"final", "corrected", "entered-in-error"} <= {line["status"] for line in lines}
    comparators = Counter(line.get("valueQuantity", {}).get("comparator") for line in lines)
    assert comparators["<"] and comparators[">"]
    text = "".join(path.read_text() for path in clean[0].glob("Observation.*"))
    for pattern in _WRITTEN:
        assert re.search(pattern, text), pattern


def test_patients_are_varied(resources: Resources) -> None:
    """Some births are known to the month or year only, some people have died, names are from everywhere."""
    patients = resources["Patient"]
    assert {len(patient["birthDate"]) for patient in patients} == {4, 7, 10}
    assert any("deceasedDateTime" in patient for patient in patients)
    assert any(not patient["name"][0]["family"].isascii() for patient in patients)
    assert {patient["gender"] for patient in patients} == {"female", "male"}
    ages = [2024 - int(patient["birthDate"][:4]) for patient in patients]
    assert min(ages) >= 0 and max(ages) < 100


def test_partial_dates_exist_as_dates(resources: Resources) -> None:
    """Every date of birth, onset and recording exists in the calendar."""
    texts = [patient["birthDate"] for patient in resources["Patient"]]
    texts += [condition["onsetDateTime"] for condition in resources["Condition"]]
    assert {len(text) for text in texts} == {4, 7, 10}
    for text in texts:
        date.fromisoformat((text + "-01-01")[:10])
