"""OBX-2, 5 and 6: values of every type, and what is written otherwise than its type wants."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transforms.decode.hl7v2.messages import OBR, PID, made, msh, observation
from transforms.decode.hl7v2.fhir_json import fhir_lines

CODE = "718-7^Hemoglobin^LN"
UNIT = {"unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL"}


def value(kind: str, sent: str, unit: str = "") -> dict[str, Any]:
    """The value elements of an OBX of that type."""
    resource = observation(kind, CODE, "", sent, unit)
    return {name: told for name, told in resource.items() if name.startswith(("value", "component", "extension"))}


@pytest.mark.parametrize(
    ("sent", "digits"),
    [("13.50", "13.50"), ("+5", "5"), ("007", "7"), (".5", "0.5"), ("-0.10", "-0.10"), ("5.", "5"), (" 12 ", "12")],
)
def test_a_number_keeps_its_digits(sent: str, digits: str) -> None:
    """NM: trailing zeros stay; what JSON forbids goes."""
    (line,) = [
        line
        for rows in made((msh(), PID, OBR, f"OBX|1|NM|{CODE}||{sent}|g/dL^g/dL^UCUM"))
        if rows.resource_type == "Observation"
        for line in fhir_lines(rows, None)
    ]
    assert f'"value":{digits},' in line.decode()
    assert json.loads(line)["valueQuantity"] == {"value": float(digits), **UNIT}


@pytest.mark.parametrize("comparator", ["<", "<=", ">", ">="])
def test_a_comparator_is_not_part_of_the_number(comparator: str) -> None:
    """NM `<5` is not 5."""
    assert value("NM", f"{comparator} 5.0") == {"valueQuantity": {"value": 5.0, "comparator": comparator}}


@pytest.mark.parametrize("sent", ["POSITIVE", "1,234", "5 mg", "<", "-", "1.2.3", "1e3", "--"])
def test_what_is_no_number_is_kept_as_text(sent: str) -> None:
    """NM that is none is never lost."""
    assert value("NM", sent) == {"valueString": sent}


@pytest.mark.parametrize("sent", ["12", "x", "<3"])
def test_numbers_of_one_batch_are_read_each_for_itself(sent: str) -> None:
    """A plain number beside others, in any order."""
    rows = [f"OBX|{at}|NM|{at}^a^LN||{text}" for at, text in enumerate(["1.10", sent, "2"], start=1)]
    (observations,) = [m.frame for m in made((msh(), PID, OBR, *rows)) if m.resource_type == "Observation"]
    assert observations["valueQuantity"].struct.field("#value").to_list()[::2] == ["1.10", "2"]


@given(st.integers(-(10**12), 10**12), st.integers(0, 6))
def test_any_decimal_comes_back_as_it_was_sent(whole: int, places: int) -> None:
    """Digits in, digits out."""
    text = f"{whole}.{'0' * places}" if places else str(whole)
    (rows,) = [m.frame for m in made((msh(), PID, OBR, f"OBX|1|NM|{CODE}||{text}")) if m.resource_type == "Observation"]
    assert rows["valueQuantity"].struct.field("#value").to_list() == [text]


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("^5", {"valueQuantity": {"value": 5.0}}),
        (">=^5.10", {"valueQuantity": {"value": 5.1, "comparator": ">="}}),
        ("=^5", {"valueQuantity": {"value": 5.0}}),
        ("^1^-^3", {"valueRange": {"low": {"value": 1.0}, "high": {"value": 3.0}}}),
        ("^1^:^128", {"valueRatio": {"numerator": {"value": 1.0}, "denominator": {"value": 128.0}}}),
        ("<^1^/^8", {"valueRatio": {"numerator": {"value": 1.0, "comparator": "<"}, "denominator": {"value": 8.0}}}),
        ("^2^+", {"valueString": "2 +"}),
        ("<>^5", {"valueString": "<> 5"}),
        ("^x", {"valueString": "x"}),
    ],
)
def test_structured_numbers(sent: str, told: dict[str, Any]) -> None:
    """SN: quantity, range, ratio, or words."""
    assert value("SN", sent) == told


@pytest.mark.parametrize(
    ("kind", "sent", "told"),
    [
        ("ST", "a\\T\\b", {"valueString": "a&b"}),
        ("TX", "one~two", {"valueString": "one\ntwo"}),
        ("FT", "one\\.br\\two~~three", {"valueString": "one\ntwo\n\nthree"}),
        ("DT", "20240229", {"valueDateTime": "2024-02-29"}),
        ("TS", "202402291530", {"valueDateTime": "2024-02-29T15:30:00+01:00"}),
        ("DTM", "2024022915", {"valueDateTime": "2024-02-29"}),
        ("DTM", "20240229153000.123-0500", {"valueDateTime": "2024-02-29T15:30:00.123-05:00"}),
        ("DT", "yesterday", {"valueString": "yesterday"}),
        ("TM", "0830", {"valueTime": "08:30:00"}),
        ("TM", "083015.5+0100", {"valueTime": "08:30:15.5"}),
        ("TM", "25", {"valueString": "25"}),
        ("NR", "1.0^2", {"valueRange": {"low": {"value": 1.0}, "high": {"value": 2.0}}}),
        ("NR", "low^high", {"valueString": "low^high"}),
        ("DR", "20240101^20240201", {"valuePeriod": {"start": "2024-01-01", "end": "2024-02-01"}}),
        ("CX", "4711^^^HOSP^MR", {"valueString": "4711^^^HOSP^MR"}),
        ("", "no type", {"valueString": "no type"}),
        ("VR", "a^b", {"valueString": "a-b"}),
    ],
)
def test_values_of_other_types(kind: str, sent: str, told: dict[str, Any]) -> None:
    """Each type has its element, and what is not written as it wants is text."""
    assert value(kind, sent) == told


def test_a_coded_value_has_both_codings() -> None:
    """CWE: the triplet, the alternate one, and the original text."""
    told = value("CWE", "260373001^Detected^SCT^D^DET^L^2024^^as written")
    assert told == {
        "valueCodeableConcept": {
            "coding": [
                {"system": "http://snomed.info/sct", "version": "2024", "code": "260373001", "display": "Detected"},
                {"system": "L", "code": "D", "display": "DET"},
            ],
            "text": "as written",
        }
    }


def test_words_without_code_are_text() -> None:
    """CE that has only its second component."""
    assert value("CE", "^not typed^L") == {"valueCodeableConcept": {"text": "not typed"}}


def test_embedded_data_and_pointers_are_attachments() -> None:
    """ED and RP."""
    data = value("ED", "^application^pdf^Base64^JVBERi0=")["extension"][0]
    assert data["valueAttachment"] == {"contentType": "application/pdf", "data": "JVBERi0="}
    there = value("RP", "https://pacs/1 2^PACS^image^jpeg")["extension"][0]
    assert there["valueAttachment"] == {"contentType": "image/jpeg", "url": "https://pacs/1%202"}


def test_repeated_numbers_are_components() -> None:
    """A repetition is a component with the code of the observation; empty ones are none."""
    told = value("NM", "60~~120", "/min^^UCUM")
    assert [c["valueQuantity"]["value"] for c in told["component"]] == [60.0, 120.0]
    assert "valueQuantity" not in told
    assert all(c["code"]["coding"][0]["code"] == "718-7" for c in told["component"])


def test_a_unit_without_system_is_only_a_unit() -> None:
    """OBX-6 of which nobody says what it is a code of."""
    assert value("NM", "1", "mg/dl") == {"valueQuantity": {"value": 1.0, "unit": "mg/dl"}}


def test_no_value_is_no_value() -> None:
    """An empty OBX-5, and one that is cleared."""
    assert value("NM", "") == {}
    assert value("NM", '""') == {}
