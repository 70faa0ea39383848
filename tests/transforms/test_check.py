"""What the checks refuse, and that nothing they say holds a value."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest

from schemas.reasons import Reason
from schemas.tables import all_tables
from tests.transforms.one_chunk import observation, rows, run, written
from transforms.sample import Sampling

CANARY = "Zq7Canary"


def canaries(value: Any) -> Any:
    """A resource with a canary in every text."""
    if isinstance(value, dict):
        return {key: inner if key == "resourceType" else canaries(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [canaries(item) for item in value]
    return CANARY if isinstance(value, str) else value


def single_faults() -> list[bytes]:
    """Lines that differ from a good one in a single place: another type, or a canary."""
    good = observation(
        "g",
        issued="2024-01-01T00:00:00Z",
        component=[{"code": {"text": "c"}, "valueQuantity": {"value": 1}}],
        note=[{"text": "n", "time": "2024-01-01"}],
    )
    text = json.dumps(good, separators=(",", ":"))
    made = []
    for spoil in (CANARY, {"a": CANARY}, [CANARY], 5550123, True):
        for path in _places(good):
            copy = json.loads(text)
            here = copy
            for step in path[:-1]:
                here = here[step]
            if path[-1] != "resourceType":
                here[path[-1]] = spoil
            made.append(written(copy))
    return made


def _places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, one in inner for place in ((*path, key), *_places(one, (*path, key)))]


CANARY_LINES = {
    "every text": written(canaries(observation())),
    "type": written(observation()).replace(b'"Observation"', f'"{CANARY}"'.encode()),
    "malformed": written(observation())[:-1] + f',"{CANARY}'.encode(),
    "twice": f'{{"resourceType":"Observation","status":"{CANARY}","status":"{CANARY}"}}'.encode(),
    "odd key": f'{{"resourceType":"Observation","a":"\\ud83d\\ude00","{CANARY} x":0,"{CANARY} x":1}}'.encode(),
    "bad UTF-8": b'{"resourceType":"Observation","x":"' + CANARY.encode() + b'\xff"}',
    "list": f'["{CANARY}"]'.encode(),
}


@pytest.mark.parametrize("name", CANARY_LINES)
@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_no_value_is_said(name: str, rate: float) -> None:
    """A rejection holds values only in its payload and its id."""
    result = run([CANARY_LINES[name]], Sampling(rate))
    assert len(result.rejections) == 1
    _say_nothing(result.rejections)


def test_no_value_is_said_of_any_place() -> None:
    """For a fault in every single place of a resource."""
    result = run(single_faults(), Sampling(1.0))
    assert len(result.rejections) > 100
    _say_nothing(result.rejections)


def _say_nothing(records: list[Any]) -> None:
    for record in records:
        said = {
            f.name: str(getattr(record, f.name)) for f in fields(record) if f.name not in ("payload", "resource_id")
        }
        for name, text in said.items():
            assert CANARY not in text, name
            assert "5550123" not in text, name


def test_obs_6() -> None:
    """A reason for absent data beside a value breaks the rule; each alone does not."""
    absent = {"coding": [{"system": "http://a.example", "code": "unknown"}]}
    without = observation("b", dataAbsentReason=absent)
    del without["valueQuantity"]
    result = run([written(observation("a", dataAbsentReason=absent)), written(without), written(observation("c"))])
    (bad,) = result.rejections
    assert (bad.resource_id, bad.code, bad.check) == ("a", Reason.RULE_VIOLATED, "obs-6")
    assert [row["id"] for row in rows(result)] == ["b", "c"]
    assert rows(result)[0]["data_absent_reason"] == "unknown"


def test_two_types_of_a_choice() -> None:
    """`value[x]` is one value, in the row and in its components."""
    twice = [written(observation("a", valueString="x"))]
    inner = {"code": {"text": "c"}, "valueString": "x", "valueBoolean": True}
    twice.append(written(observation("b", component=[{"code": {"text": "c"}, "valueString": "x"}, inner])))
    result = run([*twice, written(observation("c"))])
    assert sorted((bad.resource_id, bad.code) for bad in result.rejections) == [
        ("a", Reason.RULE_VIOLATED),
        ("b", Reason.RULE_VIOLATED),
    ]
    assert [row["id"] for row in rows(result)] == ["c"]


def test_times_inside_lists() -> None:
    """A time in an item that is none refuses its row and no other."""
    bad = observation("a", note=[{"text": "x", "time": "2024-01-01"}, {"text": "y", "time": "2024-02-30"}])
    good = observation("b", note=[{"text": "x", "time": "2024-01"}])
    result = run([written(good), written(bad), written(observation("c"))])
    assert [(r.resource_id, r.code, r.line) for r in result.rejections] == [("a", Reason.INVALID_TIME, 2)]
    assert [row["id"] for row in rows(result)] == ["b", "c"]


def test_numbers_have_a_range() -> None:
    """`positiveInt` begins at 1."""
    link = {"resourceType": "Coverage", "id": "c", "status": "active", "beneficiary": {"reference": "Patient/p"},
            "payor": [{"reference": "Organization/o"}], "order": 0}  # fmt: skip
    result = run([written(link), written(link | {"id": "ok", "order": 1})])
    assert [(bad.resource_id, bad.code) for bad in result.rejections] == [("c", Reason.OUT_OF_RANGE)]
    assert [row["id"] for row in rows(result, "coverage")] == ["ok"]


@pytest.mark.parametrize("table", all_tables(), ids=lambda table: str(table.name))
def test_an_empty_resource_of_every_type(table: Any) -> None:
    """With nothing but type and id: refused where the standard requires an element, or one of two, else a row."""
    required = [e.present for e in table.elements if e.present]
    required += [c.name for e in table.elements for c in e.columns if c.required]
    result = run([b'{"resourceType":"%s","id":"a"}' % table.resource_type.encode()])
    expected = [Reason.REQUIRED_MISSING] if required else []
    if table.name == "organization":  # org-1: a name or an identifier
        expected = [Reason.RULE_VIOLATED]
    assert [bad.code for bad in result.rejections] == expected
    assert len(rows(result, table.name)) == (0 if expected else 1)


def test_what_is_wrong_comes_before_what_does_not_fit_together() -> None:
    """Of several faults of a row the first in the model's order is told, whatever stands around the row."""
    verification = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
    clinical = "http://terminology.hl7.org/CodeSystem/condition-clinical"
    both = {
        "resourceType": "Condition",
        "id": "both",
        "subject": {"reference": "Patient/p"},
        "clinicalStatus": {"coding": [{"system": clinical, "code": "active"}]},
        "verificationStatus": {"coding": [{"system": verification, "code": "entered-in-error"}]},
        "onsetAge": {"value": 5, "comparator": "~", "unit": "a", "system": "http://unitsofmeasure.org", "code": "a"},
    }
    one = both | {"id": "one", "onsetAge": both["onsetAge"] | {"comparator": "<"}}  # type: ignore[operator] # a dict
    for lines in ([both], [one, both], [both, observation("o"), one]):
        found = {bad.resource_id: (bad.code, bad.column) for bad in run([written(line) for line in lines]).rejections}
        assert found["both"] == (Reason.CODE_NOT_IN_VALUE_SET, "onset_comparator")
        assert found.get("one", (Reason.RULE_VIOLATED, "clinical_status")) == (Reason.RULE_VIOLATED, "clinical_status")
