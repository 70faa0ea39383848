"""Datatypes of HL7 v2, each as the FHIR type that the maps make of it."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from transforms.decode.hl7v2.maps import coded, identifiers, people, places, tables
from transforms.decode.hl7v2.maps.numbers import cq
from transforms.decode.hl7v2.maps.parts import Datatype, work_out
from transforms.decode.hl7v2.separators import Separators


def of(datatype: Datatype, *sent: str | None, separators: Separators | None = None) -> list[Any]:
    """What a datatype makes of repetitions, without nulls and empty lists."""
    made = work_out(pl.Series(sent, dtype=pl.String), datatype, separators or Separators())
    return [_told(value) for value in made.to_list()]


def _told(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: told for name, item in value.items() if (told := _told(item)) is not None}
        return kept or None
    if isinstance(value, list):
        return [_told(item) for item in value]
    return value


MR = {"type": {"coding": [{"system": tables.IDENTIFIER_TYPE, "code": "MR"}]}}


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("1^^^HOSP&1.2.3&ISO^MR", {**MR, "system": "urn:oid:1.2.3", "value": "1", "assigner": {"display": "HOSP"}}),
        ("1^^^HOSP", {"system": "HOSP", "value": "1", "assigner": {"display": "HOSP"}}),
        ("1^^^Two Words", {"system": "Two%20Words", "value": "1", "assigner": {"display": "Two Words"}}),
        ("1^^^&lab.example&DNS", {"system": "lab.example", "value": "1"}),
        ("1^^^&1.2.3", {"system": "urn:oid:1.2.3", "value": "1"}),
        ("1^^^^^^20200101^20210101", {"value": "1", "period": {"start": "20200101", "end": "20210101"}}),
        ("1", {"value": "1"}),
        ("^^^HOSP^MR", None),
        ('""', None),
        ("1^^^^^^^^^^^^^^extra", {"value": "1"}),
        (None, None),
    ],
)
def test_cx(sent: str | None, told: Any) -> None:
    """An identifier with its authority; none without value, whatever stands around it."""
    assert of(identifiers.cx(), sent) == [told]


def test_a_uuid_is_one_however_it_is_written() -> None:
    """HD of type UUID or GUID, in capitals or not."""
    uuid = "426D2726-51FC-89FE-A946-8596E80A80EB"
    sent = [f"1^A^{uuid}^GUID", f"1^A^{uuid.lower()}^UUID", f"1^A^urn:uuid:{uuid}^URI"]
    assert {made["system"] for made in of(identifiers.ei(), *sent)} == {f"urn:uuid:{uuid.lower()}"}


def test_the_halves_of_an_eip() -> None:
    """Placer and filler of SPM-2, each with its own authority."""
    sent = "p1&A&1.2.3&ISO^f1&B"
    assert of(identifiers.eip(1, "PLAC"), sent)[0]["system"] == "urn:oid:1.2.3"
    assert of(identifiers.eip(2, "FILL"), sent)[0]["value"] == "f1"
    assert of(identifiers.eip(2), "p1") == [None]


def test_xpn() -> None:
    """Own family name only, both given names, prefix, suffix and degree, use and period."""
    (made,) = of(people.xpn, "Beethoven&van&Beethoven^Ludwig^B^III^Dr^PhD^L^^^^^1990^2000^Prof")
    assert made == {
        "use": "official",
        "family": "Beethoven",
        "given": ["Ludwig", "B"],
        "prefix": ["Dr"],
        "suffix": ["III", "PhD", "Prof"],
        "period": {"start": "1990", "end": "2000"},
    }
    assert of(people.xpn, "^^^", "^Ann", "^^^^^^L") == [None, {"given": ["Ann"]}, None]


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("555-1234^PRN^PH", {"system": "phone", "value": "555-1234", "use": "home"}),
        ("^PRN^CP^^1^555^1234567^12", {"system": "phone", "value": "+1 555 1234567 ext. 12", "use": "mobile"}),
        ("^WPN^CP^^^555^1234567", {"system": "phone", "value": "555 1234567", "use": "work"}),
        ("^NET^Internet^a@b.org", {"system": "email", "value": "a@b.org"}),
        ("a@b.org^^Internet", {"system": "email", "value": "a@b.org", "use": "home"}),
        ("^^^a@b.org", {"system": "email", "value": "a@b.org", "use": "home"}),
        ("^WPN^FX^^^^1^^^^^5-5", {"system": "fax", "value": "5-5", "use": "work"}),
        ("555^BPN", {"system": "pager", "value": "555"}),
        ("call me", {"system": "other", "value": "call me", "use": "home"}),
        ("^PRN^PH", None),
    ],
)
def test_xtn(sent: str, told: Any) -> None:
    """Phones, mail and what is neither; the use of the field where the sender names none."""
    assert of(people.xtn("home"), sent) == [told]


def test_xad() -> None:
    """Lines, county, use and type; nothing but a use is no address."""
    (made,) = of(places.xad, "1&High St&2^Flat 3^Town^ST^12345^USA^BA^^County^^^20200101&20210101")
    assert made["line"] == ["1", "High St", "2", "Flat 3"]
    assert (made["use"], made["district"], made["period"]["end"]) == ("old", "County", "20210101")
    assert of(places.xad, "^^^^^^H", "^^Town^^^^M") == [None, {"type": "postal", "city": "Town"}]


def test_a_concept_of_an_hl7_table() -> None:
    """The code of the map first, then what was sent; another system's code is not translated."""
    marital = coded.concept(translation=tables.MARITAL_STATUS)
    own = f"{tables.V2}0002"
    assert of(marital, "M")[0]["coding"] == [
        {"system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "code": "M", "display": "Married"},
        {"system": own, "code": "M"},
    ]
    assert of(marital, "M^m^HL70002")[0]["coding"][0]["display"] == "Married"
    assert [c["system"] for c in of(marital, "M^m^L")[0]["coding"]] == ["L"]
    assert of(marital, "?")[0]["coding"] == [{"system": own, "code": "?"}]


def test_a_code_has_no_blanks_around_it() -> None:
    """FHIR's code: none before, none behind, one at a time within; blanks alone are none."""
    assert of(coded.concept(), " a   b ^x^L")[0]["coding"][0]["code"] == "a b"
    assert of(coded.concept(), "  ^x^L") == [None]


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("LN", "http://loinc.org"),
        ("HL70487", "http://terminology.hl7.org/CodeSystem/v2-0487"),
        ("2.16.840.1.113883.6.1", "http://loinc.org"),
        ("1.2.3.4.5", "urn:oid:1.2.3.4.5"),
        ("99 LAB", "99%20LAB"),
    ],
)
def test_coding_systems(name: str, uri: str) -> None:
    """Names of table 0396 and OIDs as URIs, others as sent."""
    assert of(coded.coding(), f"1^a^{name}") == [{"system": uri, "code": "1", "display": "a"}]


def test_the_key_of_a_code_does_not_depend_on_its_words() -> None:
    """A corrected display is the same code; without code the words are all there is."""
    first, second, words, other = of(coded.code_key(), "1^a^LN", "1^b^http://loinc.org", "^a^LN", "^^^1^a^LN")
    assert first == second == other
    assert words == "text:a"


def test_cq() -> None:
    """A quantity whose units are subcomponents."""
    assert of(cq(), "10.0^mL&milliliter&UCUM", "x^mL", "5") == [
        {"value": 10.0, "#value": "10.0", "unit": "milliliter", "system": "http://unitsofmeasure.org", "code": "mL"},
        None,
        {"value": 5.0, "#value": "5"},
    ]


def test_other_separators() -> None:
    """The components of a message with delimiters of its own."""
    own = Separators(component="$", repetition="*", escape="#", subcomponent="@")
    assert of(people.xpn, "A^B&C$D#S#E", separators=own) == [{"family": "A^B&C", "given": ["D$E"]}]


def test_what_is_cleared_is_null() -> None:
    """`""` in a component gives nothing."""
    assert of(people.xpn, 'Doe^""^B') == [{"family": "Doe", "given": ["B"]}]
