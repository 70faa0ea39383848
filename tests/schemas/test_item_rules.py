"""What R4 asks of items of lists and of data types, and its named invariants: each holds, and each is broken."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.records import Chunk, ChunkKind
from schemas.tables import all_tables, tables_by_type
from transforms.decode.fhir import Decoder
from transforms.partition import Tools, transform

Resource = dict[str, Any]

_TOOLS = Tools(Decoder(tables_by_type()))
_AS_OF = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_PATIENT = {"reference": "Patient/p"}
_MEDICATION = {"reference": "Medication/m"}


def refused(*resources: Resource) -> list[tuple[int, str]]:
    """The positions of the resources that are refused, and the check; all go in one chunk."""
    lines = [json.dumps({**r, "id": f"r{i}"}, separators=(",", ":")).encode() for i, r in enumerate(resources)]
    data = b"".join(line + b"\n" for line in lines)
    chunk = Chunk(uri="file:///x", offset=0, line=1, kind=ChunkKind.RESOURCE, data=data)
    return [(r.line - 1, str(r.check)) for r in transform(chunk, _TOOLS, _AS_OF).rejections]


def concept(code: str, display: str | None = None) -> Resource:
    """A CodeableConcept of one coding."""
    coding = {"system": "http://loinc.org", "code": code} | ({"display": display} if display else {})
    return {"coding": [coding]}


def observation(**more: Any) -> Resource:
    """A good Observation with more elements."""
    return {"resourceType": "Observation", "status": "final", "code": concept("1"), **more}


def encounter(**more: Any) -> Resource:
    """A good Encounter with more elements."""
    return {"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"}, **more}


def patient(**more: Any) -> Resource:
    """A good Patient with more elements."""
    return {"resourceType": "Patient", **more}


def condition(**more: Any) -> Resource:
    """A good Condition with more elements."""
    return {"resourceType": "Condition", "subject": _PATIENT, **more}


def organization(**more: Any) -> Resource:
    """A good Organization with more elements."""
    return {"resourceType": "Organization", "name": "x", **more}


def appointment(status: str = "proposed", **more: Any) -> Resource:
    """A good Appointment with more elements."""
    there = {"participant": [{"actor": _PATIENT, "status": "accepted"}]}
    return {"resourceType": "Appointment", "status": status, **there, **more}


def administration(**more: Any) -> Resource:
    """A good MedicationAdministration with more elements."""
    needed = {
        "status": "completed",
        "subject": _PATIENT,
        "medicationReference": _MEDICATION,
        "effectiveDateTime": "2020",
    }
    return {"resourceType": "MedicationAdministration", **needed, **more}


def dispense(prepared: str, handed_over: str) -> Resource:
    """A MedicationDispense with its two times."""
    times = {"whenPrepared": prepared, "whenHandedOver": handed_over}
    return {"resourceType": "MedicationDispense", "status": "completed", "medicationReference": _MEDICATION, **times}


def immunization(**more: Any) -> Resource:
    """A good Immunization with more elements."""
    needed = {"status": "completed", "vaccineCode": concept("1"), "patient": _PATIENT, "occurrenceString": "once"}
    return {"resourceType": "Immunization", **needed, **more}


def goal(**more: Any) -> Resource:
    """A good Goal with more elements."""
    needed = {"lifecycleStatus": "active", "description": {"text": "x"}, "subject": _PATIENT}
    return {"resourceType": "Goal", **needed, **more}


def care_plan(**more: Any) -> Resource:
    """A good CarePlan with one activity."""
    return {"resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": _PATIENT, "activity": [more]}


def service_request(**more: Any) -> Resource:
    """A good ServiceRequest with more elements."""
    return {"resourceType": "ServiceRequest", "status": "active", "intent": "order", "subject": _PATIENT, **more}


def claim(item: Resource) -> Resource:
    """A Claim with one item."""
    insurance = [{"sequence": 1, "focal": True, "coverage": {"reference": "Coverage/c"}}]
    needed = {"status": "active", "type": concept("1"), "use": "claim", "patient": _PATIENT, "created": "2020"}
    more = {"provider": {"reference": "Organization/o"}, "priority": concept("1"), "insurance": insurance}
    return {"resourceType": "Claim", **needed, **more, "item": [item]}


def group(actual: bool, *members: Resource) -> Resource:
    """A Group of these members."""
    return {"resourceType": "Group", "type": "person", "actual": actual, "member": list(members)}


def team(member: Resource) -> Resource:
    """A CareTeam with a member on behalf of an organization."""
    return {
        "resourceType": "CareTeam",
        "participant": [{"member": member, "onBehalfOf": {"reference": "Organization/o"}}],
    }


_PHONE = {"system": "phone", "value": "1"}
_CASES: list[tuple[str, Resource, Resource]] = [
    # what every list is asked
    (
        "components: required",
        observation(component=[{"code": {"text": "x"}}]),
        observation(component=[{"valueString": "x"}]),
    ),
    (
        "locations: required",
        encounter(location=[{"location": {"display": "x"}}]),
        encounter(location=[{"status": "active"}]),
    ),
    (
        "items: required",
        claim({"sequence": 1, "productOrService": concept("1")}),
        claim({"productOrService": concept("1")}),
    ),
    (
        "identifiers: codes",
        patient(identifier=[{"use": "usual"}]),
        patient(identifier=[{"value": "x"}, {"use": "bogus"}]),
    ),
    (
        "locations: codes",
        encounter(location=[{"location": {"display": "x"}, "status": "active"}]),
        encounter(location=[{"location": {"display": "x"}, "status": "bogus"}]),
    ),
    (
        "hours_of_operation: codes",
        {"resourceType": "Location", "hoursOfOperation": [{"daysOfWeek": ["mon", "sun"]}]},
        {"resourceType": "Location", "hoursOfOperation": [{"daysOfWeek": ["mon", "noday"]}]},
    ),
    (
        "participants: per-1",
        encounter(participant=[{"period": {"start": "2020", "end": "2020-03"}}]),
        encounter(participant=[{}, {"period": {"start": "2020-03", "end": "2020-02-28"}}]),
    ),
    (
        "requested_periods: per-1",
        appointment(requestedPeriod=[{"start": "2019", "end": "2020"}]),
        appointment(requestedPeriod=[{"start": "2020", "end": "2019"}]),
    ),
    (
        "contacts: per-1",
        patient(contact=[{"telecom": [{**_PHONE, "period": {"start": "2019", "end": "2020"}}]}]),
        patient(contact=[{"telecom": [_PHONE, {**_PHONE, "period": {"start": "2020", "end": "2019"}}]}]),
    ),
    ("telecoms: cpt-2", patient(telecom=[_PHONE, {"use": "home"}]), patient(telecom=[_PHONE, {"value": "1"}])),
    (
        "components: qty-3",
        observation(component=[{"code": concept("2"), "valueQuantity": {"value": 1, "unit": "mg"}}]),
        observation(component=[{"code": concept("2"), "valueQuantity": {"value": 1, "code": "mg"}}]),
    ),
    (
        "qty-3 value",
        observation(valueQuantity={"value": 1, "code": "mg", "system": "http://unitsofmeasure.org"}),
        observation(valueQuantity={"value": 1, "code": "mg"}),
    ),
    (
        "rng-2 value",
        observation(valueRange={"low": {"value": 2, "unit": "g"}, "high": {"value": 1, "unit": "kg"}}),
        observation(valueRange={"low": {"value": 2, "unit": "g"}, "high": {"value": 1, "unit": "g"}}),
    ),
    (
        "reference_ranges: rng-2",
        observation(referenceRange=[{"text": "x", "age": {"low": {"value": 1}, "high": {"value": 1}}}]),
        observation(referenceRange=[{"text": "x", "age": {"low": {"value": 2}, "high": {"value": 1}}}]),
    ),
    # named invariants
    (
        "obs-3",
        observation(referenceRange=[{"text": "x"}, {"high": {"value": 1}}]),
        observation(referenceRange=[{"type": concept("1")}]),
    ),
    (
        "obs-7",
        observation(valueString="x", component=[{"code": concept("2")}, {"code": concept("1", "another")}]),
        observation(valueString="x", component=[{"code": concept("2")}, {"code": concept("1")}]),
    ),
    (
        "obs-7",
        observation(component=[{"code": concept("1"), "valueString": "x"}]),
        observation(valueBoolean=False, component=[{"code": concept("1")}]),
    ),
    ("pat-1", patient(contact=[{"gender": "male", "telecom": [_PHONE]}]), patient(contact=[{"gender": "male"}])),
    (
        "con-1",
        condition(stage=[{"summary": concept("1")}, {"assessment": [{"display": "x"}]}]),
        condition(stage=[{"type": concept("1")}]),
    ),
    (
        "con-2",
        condition(evidence=[{"detail": [{"display": "x"}]}, {"code": [concept("1")]}]),
        condition(evidence=[{"code": [concept("1")]}, {"id": "x"}]),
    ),
    ("mad-1", administration(dosage={"text": "x", "dose": {"value": 1}}), administration(dosage={"text": "x"})),
    ("mad-1", administration(dosage={"rateQuantity": {"value": 1}}), administration(dosage={"route": concept("1")})),
    ("mdd-1", dispense("2020-02", "2020-02-03"), dispense("2020-02", "2020-01-31")),
    ("imm-1", immunization(education=[{"reference": "urn:x"}]), immunization(education=[{"publicationDate": "2020"}])),
    (
        "cpl-3",
        care_plan(reference={"display": "x"}),
        care_plan(reference={"display": "x"}, detail={"status": "scheduled"}),
    ),
    ("ctm-1", team({"reference": "Practitioner/p"}), team(_PATIENT)),
    (
        "gol-1",
        goal(target=[{"detailString": "x", "measure": concept("1")}, {"dueDate": "2020"}]),
        goal(target=[{"detailString": "x"}]),
    ),
    (
        "org-1",
        {"resourceType": "Organization", "identifier": [{"value": "1"}]},
        {"resourceType": "Organization", "active": True},
    ),
    (
        "org-2",
        organization(address=[{"use": "work"}, {"city": "x"}]),
        organization(address=[{"use": "work"}, {"use": "home"}]),
    ),
    ("org-3", organization(telecom=[_PHONE]), organization(telecom=[{**_PHONE, "use": "home"}])),
    (
        "prr-1",
        service_request(orderDetail=[concept("2")], code=concept("1")),
        service_request(orderDetail=[concept("2")]),
    ),
    ("grp-1", group(True, {"entity": _PATIENT}), group(False, {"entity": _PATIENT})),
    ("app-1", appointment(), appointment(participant=[{"status": "accepted"}])),
    (
        "app-2",
        appointment(start="2020-01-01T00:00:00Z", end="2020-01-01T01:00:00Z"),
        appointment(start="2020-01-01T00:00:00Z"),
    ),
    ("app-3", appointment("waitlist"), appointment("booked")),
    (
        "app-4",
        appointment(
            "noshow", start="2020-01-01T00:00:00Z", end="2020-01-01T01:00:00Z", cancelationReason={"text": "x"}
        ),
        appointment(cancelationReason={"text": "x"}),
    ),
]


@pytest.mark.parametrize(("check", "good", "bad"), _CASES, ids=[f"{i}-{case[0]}" for i, case in enumerate(_CASES)])
def test_a_rule_holds_and_is_broken(check: str, good: Resource, bad: Resource) -> None:
    """The good resource loads and the bad one is refused for the rule, alone and beside each other in any order."""
    assert refused(good) == []
    assert refused(bad) == [(0, check)]
    assert refused(good, bad, good, bad) == [(1, check), (3, check)]


def test_every_named_invariant_is_tested() -> None:
    """Every rule that a table declares is broken by a test here, or by those of rules.py."""
    elsewhere = {"obs-6", "con-4", "con-5", "ait-1", "ait-2"}
    derived = ("per-1 ", "qty-3 ", "rng-2 ")
    named = {r.name for t in all_tables() for r in t.rules if ": " not in r.name and not r.name.startswith(derived)}
    assert named == {case[0] for case in _CASES if ": " not in case[0] and not case[0].startswith(derived)} | elsewhere


def test_an_item_that_is_null_holds_nothing() -> None:
    """Empty lists hold; rows without the list hold beside rows whose items do not."""
    assert refused(observation(component=[]), observation(), observation(component=[{"valueString": "x"}])) == [
        (2, "components: required")
    ]


def test_digits_inside_lists_of_plain_fields() -> None:
    """A list of quantities and nothing else is opened, so that its digits are complete."""
    device = {
        "resourceType": "Device",
        "property": [{"type": concept("1"), "valueQuantity": [{"value": 1}, {"value": 1.5}]}],
    }
    data = json.dumps({**device, "id": "d"}, separators=(",", ":")).encode() + b"\n"
    chunk = Chunk(uri="file:///x", offset=0, line=1, kind=ChunkKind.RESOURCE, data=data)
    (row,) = transform(chunk, _TOOLS, _AS_OF).tables["device"]["properties"].to_list()
    assert [(q["value"], q["value_literal"]) for q in row[0]["value_quantities"]] == [(1.0, "1"), (1.5, "1.5")]
