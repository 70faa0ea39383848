"""What is not so never becomes a row that says it is, and is kept with the reason."""

from __future__ import annotations

import pytest

from tests.transforms.decode.ccda.documents import (
    CCDA,
    RXNORM,
    coded,
    document,
    only,
    problem,
    result,
    rows,
    section,
)
from transforms.decode.ccda.document import read_document
from transforms.decode.ccda.draft import Kept

VALUE = '<value xsi:type="PQ" value="5.40" unit="mmol/L"/>'
NEGATED = 'negationInd="true"'


def kept(data: bytes) -> list[Kept]:
    """Why parts were kept, but for sections."""
    return [part.reason for part in read_document(data).parts if part.element != "section"]


def allergy(agent: str, kind: str = "419199007", attributes: str = "") -> str:
    return (
        f'<act classCode="ACT" moodCode="EVN"><templateId root="{CCDA}30"/><statusCode code="active"/>'
        f'<entryRelationship typeCode="SUBJ"><observation {attributes}><templateId root="{CCDA}7"/>'
        f"<id root='1.2.7' extension='a1'/>{coded(kind)}<participant typeCode='CSM'><participantRole><playingEntity>"
        f"{agent}</playingEntity></participantRole></participant></observation></entryRelationship></act>"
    )


def drug(code: str, attributes: str = "", template: str = "16") -> str:
    return (
        f'<substanceAdministration moodCode="EVN" {attributes}><templateId root="{CCDA}{template}"/>'
        f'<id root="1.2.8" extension="m1"/><statusCode code="active"/><consumable><manufacturedProduct>'
        f"<manufacturedMaterial>{code}</manufacturedMaterial></manufacturedProduct></consumable>"
        "</substanceAdministration>"
    )


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (result(VALUE, attributes=NEGATED), Kept.NEGATED),
        (result(VALUE, attributes='nullFlavor="NI"'), Kept.NULL),
        (result(VALUE).replace('code="2345-7" ', 'nullFlavor="UNK" ').replace('displayName="Glucose"', ""), Kept.NULL),
        (result(VALUE).replace('moodCode="EVN"', 'moodCode="INT"'), Kept.UNMAPPED),
        (problem(coded("55607006"), NEGATED), Kept.NONE_KNOWN),
        (problem(coded("160245001")), Kept.NONE_KNOWN),
        (problem('<value xsi:type="CD" nullFlavor="UNK"/>'), Kept.NULL),
        (problem('<value xsi:type="CD" nullFlavor="UNK"/>', NEGATED), Kept.NONE_KNOWN),
        (allergy('<code nullFlavor="NA"/>'), Kept.NULL),
        (drug('<code nullFlavor="NI"/>', NEGATED), Kept.NONE_KNOWN),
        (drug('<code nullFlavor="NI"/>'), Kept.NULL),
        (drug('<code nullFlavor="NI"/>', NEGATED, "52"), Kept.NONE_KNOWN),
        ("<observation><templateId root='1.1.1'/></observation>", Kept.UNMAPPED),
    ],
)
def test_no_row(entry: str, reason: Kept) -> None:
    """Nothing but the header becomes rows."""
    data = document(section("10160-0", entry))
    assert kept(data) == [reason]
    assert {row.resource_type for row in read_document(data).rows} == {"Patient", "DocumentReference"}


def test_refuted_problem() -> None:
    """A problem that the patient has not."""
    found = only(document(section("11450-4", problem(coded("233604007"), NEGATED))), "Condition")
    assert found["verificationStatus"]["coding"][0]["code"] == "refuted"


@pytest.mark.parametrize(
    ("kind", "code"), [("419199007", "716186003"), ("416098002", "409137002"), ("414285001", "429625007")]
)
def test_no_known_allergies(kind: str, code: str) -> None:
    """The code of the row says that none is known, by the map."""
    data = document(section("48765-2", allergy('<code nullFlavor="NA"/>', kind, NEGATED)))
    found = only(data, "AllergyIntolerance")
    assert [one["code"] for one in found["code"]["coding"]] == [code]


def test_not_allergic_to_anything() -> None:
    """An agent that stands for all substances, or all drugs, is no agent of its own."""
    for agent, code in (("105590001", "716186003"), ("410942007", "409137002")):
        data = document(section("48765-2", allergy(coded(agent, element="code"), attributes=NEGATED)))
        found = only(data, "AllergyIntolerance")
        assert [one["code"] for one in found["code"]["coding"]] == [code]
        assert "verificationStatus" not in found


def test_not_allergic_to_something() -> None:
    """Refuted, with the substance."""
    data = document(section("48765-2", allergy(coded("7980", RXNORM, "code"), attributes=NEGATED)))
    found = only(data, "AllergyIntolerance")
    assert found["verificationStatus"]["coding"][0]["code"] == "refuted"
    assert "clinicalStatus" not in found


def test_medication_and_vaccine_not_given() -> None:
    """Each has a way of its own to say so."""
    data = document(section("10160-0", drug(coded("1191", RXNORM, "code"), NEGATED)))
    assert only(data, "MedicationRequest")["doNotPerform"] is True
    data = document(section("11369-6", drug(coded("88", RXNORM, "code"), NEGATED, "52")))
    assert only(data, "Immunization")["status"] == "not-done"


def test_a_negated_member_leaves_the_others() -> None:
    """It is kept by itself, and the panel has the rest."""
    members = result(VALUE) + "</component><component>" + result(VALUE, attributes=NEGATED, name="r2")
    panel = (
        f'<organizer><templateId root="{CCDA}1"/><id root="1.2.5" extension="o"/><code code="1-8"/>'
        f"<component>{members}</component></organizer>"
    )
    data = document(section("30954-2", panel))
    assert kept(data) == [Kept.NEGATED]
    draft = read_document(data)
    assert len(rows(draft, "Observation")) == len(only(data, "DiagnosticReport")["result"]) == 1


def test_null_flavors_have_their_reason() -> None:
    """Of a value by the map; of another code as a code; OTH takes the translation."""
    found = only(document(section("30954-2", result('<value xsi:type="PQ" nullFlavor="ASKU"/>'))), "Observation")
    assert found["dataAbsentReason"]["coding"][0]["code"] == "asked-unknown"
    assert not any(name.startswith("value") for name in found)
    other = f'<value xsi:type="CD" nullFlavor="OTH"><translation code="233604007" codeSystem="{RXNORM}"/></value>'
    found = only(document(section("11450-4", problem(other))), "Condition")
    assert [one["code"] for one in found["code"]["coding"]] == ["233604007"]
    route = drug(coded("1191", RXNORM, "code")).replace("<consumable>", '<routeCode nullFlavor="UNK"/><consumable>')
    (dosage,) = only(document(section("10160-0", route)), "MedicationRequest")["dosageInstruction"]
    system = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"
    assert dosage["route"] == {"coding": [{"system": system, "code": "UNK"}]}
