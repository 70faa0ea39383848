"""PID, MRG, NK1, PV1 and what else an ADT tells."""

from __future__ import annotations

from typing import Any

import pytest

from tests.transforms.decode.hl7v2.messages import PID, made, msh, only, resources
from transforms.decode.hl7v2.maps.rows import Made


def pid(**fields: str) -> str:
    """A PID with these fields (``f5`` for PID-5)."""
    told = {1: "1", 3: "4711^^^HOSP&1.2.3&ISO^MR"} | {int(name[1:]): text for name, text in fields.items()}
    return "|".join(["PID", *(told.get(at, "") for at in range(1, max(told) + 1))])


def pv1(**fields: str) -> str:
    """A PV1 with these fields."""
    told = {1: "1", 2: "I", 19: "V1^^^HOSP"} | {int(name[1:]): text for name, text in fields.items()}
    return "|".join(["PV1", *(told.get(at, "") for at in range(1, max(told) + 1))])


def patient(**fields: str) -> dict[str, Any]:
    """The Patient of a PID."""
    return only("Patient", msh("ADT^A08"), pid(**fields))


def of_type(kind: str, *segments: str) -> Made:
    """The only frame of a type."""
    (rows,) = [rows for rows in made(segments) if rows.resource_type == kind]
    return rows


def test_a_patient() -> None:
    """Names, gender, address, telecom, status, language."""
    told = patient(
        f5="Doe^Jane^Q~Roe^Jane^^^^^M",
        f7="19700131",
        f8="F",
        f11="1 High St^^Town^ST^12345",
        f12="County",
        f13="555-1",
        f14="555-2",
        f15="de",
        f16="M",
        f19="123",
        f30="N",
    )
    assert [name["family"] for name in told["name"]] == ["Doe", "Roe"]
    assert (told["gender"], told["birthDate"], told["deceasedBoolean"]) == ("female", "1970-01-31", False)
    assert told["address"] == [
        {"line": ["1 High St"], "city": "Town", "district": "County", "state": "ST", "postalCode": "12345"}
    ]
    assert [(t["value"], t["use"]) for t in told["telecom"]] == [("555-1", "home"), ("555-2", "work")]
    assert told["communication"][0]["language"]["coding"][0]["code"] == "de"
    assert [i["value"] for i in told["identifier"]] == ["4711", "123"]


def test_a_time_of_birth_is_an_extension_of_the_date() -> None:
    """PID-7 to the minute."""
    told = patient(f7="197001311530")
    assert told["birthDate"] == "1970-01-31"
    assert told["_birthDate"]["extension"][0]["valueDateTime"] == "1970-01-31T15:30:00+01:00"


def test_a_time_of_death_and_a_birth_order_take_the_place_of_yes_and_no() -> None:
    """PID-29 before PID-30, PID-25 before PID-24."""
    told = patient(f24="Y", f25="2", f29="20240101", f30="Y")
    assert told["deceasedDateTime"] == "2024-01-01"
    assert told["multipleBirthInteger"] == 2
    assert not {"deceasedBoolean", "multipleBirthBoolean"} & told.keys()


def test_the_county_stands_alone_where_an_address_has_another() -> None:
    """PID-12 beside an address with a county of its own."""
    assert [a["district"] for a in patient(f11="^^Town^^^^^^Own", f12="Other")["address"]] == ["Own", "Other"]
    assert patient(f12="Alone")["address"] == [{"district": "Alone"}]


def test_the_record_number_names_the_patient() -> None:
    """The first identifier of type MR or PI, wherever it stands; its authority belongs to it."""
    record = "1^^^A^MR"
    same = [patient(f3=f3)["id"] for f3 in (record, f"9^^^A^SS~{record}", f"{record}~8^^^A^PI", f"{record}~9")]
    assert len(set(same)) == 1
    other = [patient(f3=f3)["id"] for f3 in ("1^^^B^MR", "1^^^A&1.2&ISO^MR", "1", "1^^^^MR", "9^^^A^SS")]
    assert len({*same, *other}) == 5  # without authority the type does not matter


def test_what_is_cleared_is_told_apart_from_what_is_absent() -> None:
    """`""` names its element, by its path; a field that is not there names none."""
    rows = of_type("Patient", msh("ADT^A08"), pid(f5="Doe", f8='""', f11='""', f16=""))
    assert rows.frame["cleared"].to_list() == [["gender", "address"]]
    assert "maritalStatus" not in rows.frame.columns or rows.frame["maritalStatus"].null_count() == 1


def test_a_list_is_cleared_only_when_nothing_of_it_was_sent() -> None:
    """PID-13 cleared, PID-14 sent."""
    rows = of_type("Patient", msh("ADT^A08"), pid(f13='""', f14="555"))
    assert rows.frame["cleared"].to_list() == [None]


def test_a_merge_links_both_and_loses_nothing() -> None:
    """A40: the survivor replaces the other, who is no longer active; each pair for itself."""
    told = resources(
        "Patient", msh("ADT^A40"), pid(f3="1^^^A^MR"), "MRG|2^^^A^MR|||||||Old^Name", pid(f3="3^^^A^MR"), "MRG|4^^^A^MR"
    )
    by_number = {one["identifier"][0]["value"]: one for one in told}
    assert by_number["2"]["active"] is False
    assert by_number["2"]["link"] == [
        {"other": {"reference": f"Patient/{by_number['1']['id']}"}, "type": "replaced-by"}
    ]
    assert by_number["1"]["link"] == [{"other": {"reference": f"Patient/{by_number['2']['id']}"}, "type": "replaces"}]
    assert by_number["3"]["link"][0]["other"]["reference"].endswith(by_number["4"]["id"])
    assert "active" not in by_number["1"]


@pytest.mark.parametrize(("event", "prior"), [("A44", "2^^^A^MR"), ("A40", "1^^^A^MR"), ("A40", "")])
def test_other_events_and_merges_with_oneself_link_nobody(event: str, prior: str) -> None:
    """A44 moves an account; a patient is never merged into itself."""
    (told,) = resources("Patient", msh(f"ADT^{event}"), pid(f3="1^^^A^MR"), f"MRG|{prior}")
    assert "link" not in told


@pytest.mark.parametrize(
    ("event", "end", "status", "ends"),
    [
        ("A01", "", "in-progress", None),
        ("A03", "20240102", "finished", "2024-01-02"),
        ("A04", "", "in-progress", None),
        ("A05", "", "planned", None),
        ("A08", "", "unknown", None),
        ("A08", "20240102", "finished", "2024-01-02"),
        ("A11", "20240102", "cancelled", None),
        ("A12", "", "in-progress", None),
        ("A13", "20240102", "in-progress", None),
    ],
)
def test_the_event_tells_the_status_of_the_visit(event: str, end: str, status: str, ends: str | None) -> None:
    """Admit, discharge, and the events that take them back."""
    told = only("Encounter", msh(f"ADT^{event}"), PID, pv1(f44="20240101", f45=end))
    assert (told["status"], told["period"].get("end")) == (status, ends)


def test_a_cancelled_discharge_clears_what_the_discharge_said() -> None:
    """A13: end and disposition."""
    rows = of_type("Encounter", msh("ADT^A13"), PID, pv1(f36="01", f45="20240102"))
    assert set(rows.frame["cleared"].to_list()[0]) == {"period.end", "hospitalization.dischargeDisposition"}


def test_an_update_says_nothing_of_the_status() -> None:
    """A patch of an A08 leaves the status as it was: the assumed one is not in the row."""
    rows = of_type("Encounter", msh("ADT^A08"), PID, pv1())
    assert "status" not in rows.frame.columns or rows.frame["status"].to_list() == [None]
    assert rows.assumed["status"] == "unknown"


def test_a_visit() -> None:
    """Class, people, places, admission and discharge."""
    segments = (
        msh("ADT^A03"),
        PID,
        pv1(f3="W1^R2^B3^FAC", f7="1^Smith^John^^^Dr", f14="7", f36="01", f44="20240101", f45="20240103"),
        "PV2|||R07^Pain^I10",
        "DG1|1||I21^MI^I10||20240101|F",
    )
    told = only("Encounter", *segments)
    assert told["class"] == {
        "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP", "display": "inpatient encounter",
    }  # fmt: skip
    (doctor,), (place,), (condition,) = (
        resources(kind, *segments) for kind in ("Practitioner", "Location", "Condition")
    )
    assert told["participant"][0]["individual"] == {"reference": f"Practitioner/{doctor['id']}"}
    assert told["location"] == [{"location": {"reference": f"Location/{place['id']}"}, "status": "active"}]
    assert place["name"] == "FAC, W1, R2, B3"
    assert told["diagnosis"][0]["condition"] == {"reference": f"Condition/{condition['id']}"}
    assert told["reasonCode"][0]["coding"][0]["code"] == "R07"
    assert condition["encounter"] == {"reference": f"Encounter/{told['id']}"}


def test_people_without_identifier_are_named_where_they_stand() -> None:
    """XCN with a name alone: a display, no row."""
    segments = (msh("ADT^A01"), PID, pv1(f7="^Smith^John^^^Dr"))
    assert only("Encounter", *segments)["participant"][0]["individual"] == {"display": "Dr John Smith"}
    assert resources("Practitioner", *segments) == []


def test_next_of_kin() -> None:
    """NK1, and that two with the same number and other names are two."""
    segments = (
        msh("ADT^A01"), PID, "NK1|1|Doe^Ann|MTH|1 St|555|666|C^Contact^HL70131", "NK1|2|Doe^Bob|FTH",
        "NK1|3|||||555-9",
    )  # fmt: skip
    told = resources("RelatedPerson", *segments)
    assert len({one["id"] for one in told}) == 3
    assert [c["coding"][0]["code"] for c in told[0]["relationship"]] == ["MTH", "C"]
    assert [t["value"] for t in told[0]["telecom"]] == ["555", "666"]


def test_insurance() -> None:
    """IN1: who pays, for whom, how long."""
    told = only(
        "Coverage", msh("ADT^A01"), PID, "IN1|1|PLAN^Plan|77^^^X|Payer Inc|||||G1|||20240101|20241231||HMO||SEL"
    )
    assert told["period"] == {"start": "2024-01-01", "end": "2024-12-31"}
    assert told["subscriber"] == told["beneficiary"]
    assert told["payor"][0]["reference"].startswith("Organization/")


def test_diagnoses_of_the_same_code_are_two_when_sent_twice() -> None:
    """Two DG1 of one code in one message, and the first keeps its id when it comes alone."""
    first, second = "DG1|1||I10^H^I10||20200101|F", "DG1|2||I10^H^I10||20220101|F"
    both = resources("Condition", msh("ADT^A01"), PID, first, second)
    assert len({one["id"] for one in both}) == 2
    assert resources("Condition", msh("ADT^A01", control="C9"), PID, first)[0]["id"] == both[0]["id"]


def test_a_diagnosis_that_is_taken_back() -> None:
    """DG1-21 D."""
    told = only("Condition", msh("ADT^A08"), PID, "DG1|1||I10^H^I10|||||||||||||||||X1|D")
    assert told["verificationStatus"]["coding"][0]["code"] == "entered-in-error"


def test_allergies() -> None:
    """AL1 with two reactions; IAM that is taken back."""
    told = only("AllergyIntolerance", msh("ADT^A01"), PID, "AL1|1|DA|70618^Penicillin^RXNORM|SV|Rash~Hives|20200101")
    assert (told["category"], told["type"], told["criticality"]) == (["medication"], "allergy", "high")
    assert [m["text"] for m in told["reaction"][0]["manifestation"]] == ["Rash", "Hives"]
    assert told["reaction"][0]["severity"] == "severe"
    gone = only("AllergyIntolerance", msh("ADT^A60"), PID, "IAM|1|DA|70618^P^RXNORM|||D")
    assert gone["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    assert "clinicalStatus" not in gone


def test_segments_of_two_patients_in_one_message() -> None:
    """What stands behind the second PID is the second patient's."""
    segments = (
        msh("ORU^R01"),
        pid(f3="1"),
        "OBR|1||F1|A",
        "OBX|1|ST|A||x",
        pid(f3="2"),
        "OBR|1||F2|A",
        "OBX|1|ST|A||y",
    )
    patients = [one["id"] for one in resources("Patient", *segments)]
    assert [o["subject"]["reference"] for o in resources("Observation", *segments)] == [
        f"Patient/{i}" for i in patients
    ]


def test_two_maps_of_one_type_give_one_frame() -> None:
    """The allergy of an AL1 and of an IAM of the same code is one row, with what either tells of it."""
    rows = of_type(
        "AllergyIntolerance",
        msh("ADT^A60"),
        PID,
        "AL1|1|DA|1^P^L|SV|Rash",
        "IAM|1|DA|1^P^L||Rash|A||||||Childhood|20240101",
        "IAM|2|FA|2^N^L||Hives|A",
    )
    assert rows.frame.height == 2
    first = rows.frame.row(0, named=True)
    assert first["reaction"][0]["severity"] == "severe"


@pytest.mark.parametrize("number", [1, 2])
def test_an_allergy_of_both_segments_is_one(number: int) -> None:
    """However often it comes."""
    segments = (msh("ADT^A60"), PID, *["AL1|1|DA|1^P^L|SV|Rash"] * number, "IAM|1|DA|1^P^L||Rash|A|||||||20240101")
    assert len(resources("AllergyIntolerance", *segments)) == 1
