"""Datatypes of CDA: times, intervals, quantities, codes and texts as FHIR has them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from tests.transforms.decode.ccda.documents import (
    CCDA,
    LOINC,
    RXNORM,
    coded,
    document,
    only,
    problem,
    result,
    section,
)
from transforms.decode.ccda.datatypes import number


def observed(value: str, more: str = "", text: str = "") -> dict[str, Any]:
    """The Observation of a result with this value."""
    return only(document(section("30954-2", result(value, more), text=text)), "Observation")


@pytest.mark.parametrize(
    ("sent", "written"),
    [
        ("5.40", "5.40"), (".5", "0.5"), ("+5", "5"), ("5.", "5"), ("-0", "-0"), ("007.10", "7.10"), ("1e3", "1e3"),
        ("0", "0"), ("0.0", "0.0"), ("1,5", None), ("", None), (".", None), ("e3", None), ("<5", None), ("NaN", None),
        ("1e9999", None), (None, None),
    ],
)  # fmt: skip
def test_numbers(sent: str | None, written: str | None) -> None:
    """A decimal of JSON with the digits as sent, or none."""
    found = number(sent)
    assert (None if found is None else bytes(found).decode()) == written
    if found is not None:
        json.loads(msgspec.json.encode(found))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('<value xsi:type="PQ" value="5.4" unit="mmol/L"/>', {"value": 5.4, "unit": "mmol/L", "code": "mmol/L"}),
        ('<value xsi:type="PQ" value="3"/>', {"value": 3}),
        ('<value xsi:type="REAL" value="7.2"/>', {"value": 7.2}),
        ('<value value="7.2" unit="%"/>', {"value": 7.2, "unit": "%", "code": "%"}),  # no type is told
        ('<value xsi:type="IVL_PQ"><low value="500" unit="mg"/></value>', {"comparator": ">=", "value": 500}),
        ('<value xsi:type="IVL_PQ"><low value="5" inclusive="false"/></value>', {"comparator": ">", "value": 5}),
        ('<value xsi:type="IVL_PQ"><high value="5"/><low nullFlavor="NI"/></value>', {"comparator": "<=", "value": 5}),
        (
            '<value xsi:type="PQ" nullFlavor="OTH"><translation value="9" code="x" codeSystem="1.2.3.4">'
            "<originalText>tabs</originalText></translation></value>",
            {"value": 9, "unit": "tabs", "system": "urn:oid:1.2.3.4", "code": "x"},
        ),
    ],
)
def test_quantities(value: str, expected: dict[str, object]) -> None:
    """Also with a comparator, by their translation, and without unit."""
    found = observed(value)["valueQuantity"]
    assert expected.items() <= found.items()
    assert ("system" in found) == ("code" in found)


@pytest.mark.parametrize(
    ("value", "element", "expected"),
    [
        ('<value xsi:type="INT" value="4"/>', "valueInteger", 4),
        ('<value xsi:type="ST">positive</value>', "valueString", "positive"),
        ('<value xsi:type="ED">see <br/>below</value>', "valueString", "see below"),
        ('<value xsi:type="ED"><reference value="#t"/></value>', "valueString", "a\nb"),
        ('<value xsi:type="BL" value="false"/>', "valueBoolean", False),
        ('<value xsi:type="TS" value="2024-03-01T10:00:00Z"/>', "valueDateTime", "20240301100000+0000"),
        ('<value xsi:type="TS" value="20240301100000.123456-0500"/>', "valueDateTime", "20240301100000.1234-0500"),
        ('<value xsi:type="PQ" value="many"/>', "valueString", "many"),
        (
            '<value xsi:type="IVL_PQ"><low value="1"/><high value="2"/></value>',
            "valueRange",
            {"low": {"value": 1}, "high": {"value": 2}},
        ),
        (
            '<value xsi:type="RTO_PQ_PQ"><numerator value="1"/><denominator value="8"/></value>',
            "valueRatio",
            {"numerator": {"value": 1}, "denominator": {"value": 8}},
        ),
    ],
)
def test_values(value: str, element: str, expected: object) -> None:
    """Each type becomes the element of its kind."""
    narrative = '<paragraph ID="t">a<br/>b</paragraph>'
    found = observed(value, text=narrative)
    assert [name for name in found if name.startswith("value")] == [element]
    assert found[element] == expected


@pytest.mark.parametrize("kind", ["CD", "CE", "CO", "CV"])
def test_codes(kind: str) -> None:
    """With translations, each once, and the text that originalText points to."""
    translation = f'<translation code="2" codeSystem="{LOINC}"/>'
    value = (
        f'<value xsi:type="{kind}" code="1" codeSystem="{RXNORM}"><originalText><reference value="#o"/></originalText>'
        f"{translation}{translation}</value>"
    )
    found = observed(value, text='<table><tr><td ID="o">as <content>written</content></td></tr></table>')
    assert found["valueCodeableConcept"] == {
        "coding": [
            {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "1"},
            {"system": "http://loinc.org", "code": "2"},
        ],
        "text": "as written",
    }


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ('<effectiveTime value="202403011000-0500"/>', {"effectiveDateTime": "202403011000-0500"}),
        ('<effectiveTime><low value="2024"/></effectiveTime>', {"effectivePeriod": {"start": "2024"}}),
        (
            '<effectiveTime><low value="2024"/><high nullFlavor="UNK"/></effectiveTime>',
            {"effectivePeriod": {"start": "2024"}},
        ),
        ('<effectiveTime><high value="2024"/></effectiveTime>', {"effectivePeriod": {"end": "2024"}}),
        (
            '<effectiveTime><low value="202401"/><high value="202401"/></effectiveTime>',
            {"effectiveDateTime": "202401"},
        ),
        ('<effectiveTime><center value="20240101"/></effectiveTime>', {"effectiveDateTime": "20240101"}),
        ('<effectiveTime nullFlavor="UNK"/>', {}),
    ],
)
def test_times(time: str, expected: dict[str, object]) -> None:
    """Precision and offset stay as sent."""
    entry = result('<value xsi:type="INT" value="4"/>').replace('<effectiveTime value="20240301"/>', time)
    found = only(document(section("30954-2", entry)), "Observation")
    assert {name: value for name, value in found.items() if name.startswith("effective")} == expected


def test_reference_ranges() -> None:
    """Only normal ones: FHIR has no place for the others."""
    ranges = "".join(
        f'<referenceRange><observationRange>{meant}<value xsi:type="IVL_PQ"><low value="{low}"/></value>'
        "</observationRange></referenceRange>"
        for low, meant in ((1, ""), (2, '<interpretationCode code="N"/>'), (3, '<interpretationCode code="H"/>'))
    )
    found = observed('<value xsi:type="INT" value="4"/>', ranges)
    assert [one["low"]["value"] for one in found["referenceRange"]] == [1, 2]


@pytest.mark.parametrize(
    ("status", "high", "expected"),
    [
        ("55561003", "", "active"),
        ("73425007", "", "inactive"),
        ("413322009", '<high value="2020"/>', "resolved"),
        ("55561003", '<high value="2020"/>', "inactive"),  # it is over, whatever its status says
        ("55561003", '<high nullFlavor="UNK"/>', "inactive"),
        ("", "", "active"),  # of the concern
    ],
)
def test_clinical_status(status: str, high: str, expected: str) -> None:
    """An end goes before the status, by the map."""
    observation = f'<observation><code code="33999-4"/>{coded(status)}</observation>'
    more = f'<entryRelationship typeCode="REFR">{observation}</entryRelationship>' if status else ""
    time = f'<effectiveTime><low value="2010"/>{high}</effectiveTime>'
    found = only(document(section("11450-4", problem(coded("233604007"), time=time, more=more))), "Condition")
    assert found["clinicalStatus"]["coding"][0]["code"] == expected
    assert found["onsetDateTime"] == "2010"
    assert found.get("abatementDateTime") == ("2020" if "value" in high else None)


@pytest.mark.parametrize(
    ("frequency", "expected"),
    [
        (
            '<effectiveTime xsi:type="PIVL_TS" operator="A"><period value="8" unit="h"/></effectiveTime>',
            {"frequency": 1, "period": 8, "periodUnit": "h"},
        ),
        (
            '<effectiveTime xsi:type="PIVL_TS" operator="A"><period><low value="4" unit="h"/>'
            '<high value="6" unit="h"/></period></effectiveTime>',
            {"frequency": 1, "period": 4, "periodMax": 6, "periodUnit": "h"},
        ),
        ('<effectiveTime xsi:type="PIVL_TS" operator="A"><period nullFlavor="UNK"/></effectiveTime>', {}),
        (
            '<effectiveTime xsi:type="EIVL_TS" operator="A"><event code="PCM"/><offset value="1" unit="h"/>'
            "</effectiveTime>",
            {"when": ["PCM"], "offset": 60},
        ),
    ],
)
def test_frequencies(frequency: str, expected: dict[str, object]) -> None:
    """The first time is when, that of operator A how often."""
    entry = (
        f'<substanceAdministration moodCode="INT"><templateId root="{CCDA}16"/><statusCode code="active"/>'
        '<effectiveTime xsi:type="IVL_TS"><low value="20240101"/><high nullFlavor="UNK"/></effectiveTime>'
        f'{frequency}<doseQuantity value="2"/><consumable><manufacturedProduct><manufacturedMaterial>'
        f"{coded('1191', RXNORM, 'code')}</manufacturedMaterial></manufacturedProduct></consumable>"
        "</substanceAdministration>"
    )
    found = only(document(section("10160-0", entry)), "MedicationRequest")
    (dosage,) = found["dosageInstruction"]
    assert found["intent"] == "order"
    assert dosage["timing"]["repeat"] == {"boundsPeriod": {"start": "20240101"}, **expected}
    assert dosage["doseAndRate"] == [{"doseQuantity": {"value": 2}}]
