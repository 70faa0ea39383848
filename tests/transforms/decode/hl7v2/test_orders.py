"""Orders, results, specimens, vaccines, drugs, appointments and documents."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.transforms.decode.hl7v2.messages import OBR, PID, made, msh, observation, only, resources

OBX = "OBX|1|NM|718-7^Hb^LN|1|13.5|g/dL|12.0-16.0|H|||F|||20240101"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("F", "final"), ("C", "corrected"), ("P", "preliminary"), ("R", "preliminary"), ("I", "registered"),
        ("S", "preliminary"), ("X", "cancelled"), ("D", "entered-in-error"), ("W", "entered-in-error"),
        ("A", "amended"), ("U", "final"), ("", "unknown"), ("?", "unknown"),
    ],
)  # fmt: skip
def test_states_of_a_result(sent: str, status: str) -> None:
    """OBX-11, corrections and deletions among them."""
    assert observation("ST", "A", "", "x", "", "", "", "", "", sent)["status"] == status


def test_not_asked_is_a_reason_for_no_data() -> None:
    """OBX-11 N."""
    told = observation("ST", "A", "", "", "", "", "", "", "", "N")
    assert told["dataAbsentReason"]["coding"][0]["code"] == "not-asked"


def test_a_result() -> None:
    """Code, flags, range, times, who did it, and a note."""
    told = only(
        "Observation", msh(), PID, OBR,
        "OBX|1|NM|718-7^Hb^LN||13.5|g/dL|12.0-16.0|H~A|||F|||20240101|||M^Method^L|E1^Eq|20240102||X1||LAB^^1234",
        "NTE|1||one~two", "NTE|2||three",
    )  # fmt: skip
    assert [c["coding"][0]["code"] for c in told["interpretation"]] == ["H", "A"]
    assert told["referenceRange"] == [
        {"low": {"value": 12.0, "unit": "g/dL"}, "high": {"value": 16.0, "unit": "g/dL"}, "text": "12.0-16.0"}
    ]
    assert told["effectiveDateTime"] == "2024-01-01"
    assert told["extension"][0]["valueDateTime"] == "2024-01-02"
    assert [n["text"] for n in told["note"]] == ["one\ntwo", "three"]
    assert told["performer"][0]["reference"].startswith("Organization/")


@pytest.mark.parametrize(
    ("sent", "low", "high"),
    [("<5", None, 5.0), (">= 3", 3.0, None), ("-2 - 2", -2.0, 2.0), ("negative", None, None), ("01-02", 1.0, 2.0)],
)
def test_reference_ranges(sent: str, low: float | None, high: float | None) -> None:
    """The text always, limits where the standard's forms are kept to."""
    (told,) = observation("NM", "A", "", "1", "", sent)["referenceRange"]
    assert (told.get("low", {}).get("value"), told.get("high", {}).get("value")) == (low, high)
    assert told["text"] == sent


def test_a_result_keeps_its_id_when_it_is_corrected() -> None:
    """Another message, another display and another value: the filler's number, OBX-3 and OBX-4 name it."""
    first = only("Observation", msh(), PID, OBR, OBX)["id"]
    changed = only("Observation", msh(control="C2"), PID, OBR.replace("P1^EHR", ""), OBX.replace("^Hb^", "^HGB^"))
    assert changed["id"] == first
    others = [OBX.replace("|1|13.5", "|2|13.5"), OBX.replace("718-7", "718-8")]
    assert first not in [only("Observation", msh(), PID, OBR, other)["id"] for other in others]


def test_the_same_observation_twice_in_one_order_is_two() -> None:
    """Only the second has its number in the id."""
    both = [one["id"] for one in resources("Observation", msh(), PID, OBR, OBX, OBX.replace("13.5", "14"))]
    assert len(set(both)) == 2
    assert both[0] == only("Observation", msh(), PID, OBR, OBX)["id"]


def test_ids_do_not_depend_on_what_else_is_in_the_batch() -> None:
    """Alone and beside messages that have what this one lacks: the same ids."""
    bare = (msh(control="A"), "PID|1", "PV1|1|O", "OBR|1|||A", "OBX|1|ST|A||x")
    full = (msh(control="B"), PID, "PV1|1|O||||||||||||||||V1", "ORC|RE|P|F", OBR, OBX, "NTE|1||n", "SPM|1|S1")
    alone = {(m.resource_type, i) for one in (bare, full) for m in made(one) for i in m.frame["id"]}
    together = {(m.resource_type, i) for m in made(bare, full) for i in m.frame["id"]}
    assert alone == together


def test_order_report_and_results_belong_together() -> None:
    """ServiceRequest, DiagnosticReport, Specimen and Observation refer to each other."""
    segments = (
        msh(),
        PID,
        "ORC|NW|P1^EHR|F1^LAB||IP||||20240101|||9^House^Greg",
        OBR,
        OBX,
        "SPM|1|S1||BLD|||||||||||||2024",
    )
    request, report, specimen, result = (
        only(kind, *segments) for kind in ("ServiceRequest", "DiagnosticReport", "Specimen", "Observation")
    )
    assert report["basedOn"] == result["basedOn"] == [{"reference": f"ServiceRequest/{request['id']}"}]
    assert report["result"] == [{"reference": f"Observation/{result['id']}"}]
    assert result["specimen"] == report["specimen"][0] == {"reference": f"Specimen/{specimen['id']}"}
    assert (request["status"], request["intent"], request["authoredOn"]) == ("active", "order", "2024-01-01")
    assert request["requester"]["reference"].startswith("Practitioner/")
    assert [i["type"]["coding"][0]["code"] for i in request["identifier"]] == ["PLAC", "FILL"]
    assert specimen["collection"]["collectedDateTime"] == "2024"


def test_the_order_of_a_result_has_the_id_of_the_order_that_was_placed() -> None:
    """The ORM and the ORU name one ServiceRequest; an order alone is no report."""
    order = (msh("ORM^O01"), PID, "ORC|NW|P1^EHR", "OBR|1|P1^EHR||24323-8^Panel^LN")
    assert only("ServiceRequest", *order)["id"] == only("ServiceRequest", msh(), PID, OBR, OBX)["id"]
    assert resources("DiagnosticReport", *order) == []


def test_results_without_status_say_nothing_of_the_order() -> None:
    """ORC-1 RE leaves the status of the order as it was."""
    (rows,) = [m for m in made((msh(), PID, "ORC|RE|P1", OBR, OBX)) if m.resource_type == "ServiceRequest"]
    assert "status" not in rows.frame.columns or rows.frame["status"].to_list() == [None]


def test_when_a_result_was_reported_is_its_time() -> None:
    """OBR-22 before MSH-7."""
    rows = {m.resource_type: m.frame for m in made((msh(), PID, OBR + "|" * 15 + "20240105", OBX))}
    assert rows["Observation"]["meta"].to_list() == [{"lastUpdated": "20240105"}]
    assert rows["DiagnosticReport"]["meta"].to_list() == [{"lastUpdated": "20240105"}]
    assert rows["Patient"]["meta"].to_list() == [{"lastUpdated": "20240102030405+0100"}]


def test_the_event_time_stands_in_for_the_message_time() -> None:
    """EVN-2 where MSH-7 is empty."""
    rows = {m.resource_type: m.frame for m in made((msh("ADT^A01", sent=""), "EVN|A01|20240104", PID))}
    assert rows["Patient"]["meta"].to_list() == [{"lastUpdated": "20240104"}]


def test_a_vaccine() -> None:
    """ORC, RXA and RXR of a VXU; an unknown amount is none; OBX are its observations."""
    rxa = "RXA|0|1|20240101||08^HepB^CVX|999|mL^mL^UCUM||00^New^NIP001|7^Nurse^Ann|||||LOT1|20251231|MSD^Merck^MVX|||CP"
    segments = (msh("VXU^V04"), PID, "ORC|RE||I1^CLINIC", rxa, "RXR|IM^Intramuscular^HL70162|LA", OBX)
    told = only("Immunization", *segments)
    assert (told["status"], told["lotNumber"], told["expirationDate"]) == ("completed", "LOT1", "2025-12-31")
    assert told["vaccineCode"]["coding"][0] == {
        "system": "http://hl7.org/fhir/sid/cvx",
        "code": "08",
        "display": "HepB",
    }
    assert "doseQuantity" not in told
    assert told["route"]["coding"][-1]["code"] == "IM"
    assert only("Organization", *segments)["name"] == "Merck"
    assert len(resources("Observation", *segments)) == 1
    assert resources("MedicationAdministration", *segments) == []
    gone = only("Immunization", msh("VXU^V04"), PID, "ORC|RE||I1^CLINIC", rxa + "|D")
    assert (gone["status"], gone["id"]) == ("entered-in-error", told["id"])


def test_drugs() -> None:
    """RXE before RXO; RXA of a RAS is what was given."""
    rde = (
        msh("RDE^O11"),
        PID,
        "ORC|NW|P7||||||||||9^House^Greg",
        "RXO|1^Asked^L|1||mg",
        "RXE||2^Given^L|250|500|mg^mg^UCUM||^as told",
        "RXR|PO^Oral^HL70162",
    )
    told = only("MedicationRequest", *rde)
    assert told["medicationCodeableConcept"]["coding"][0]["code"] == "2"
    (dosage,) = told["dosageInstruction"]
    assert dosage["text"] == "as told"
    assert dosage["doseAndRate"][0]["doseRange"]["high"]["value"] == 500.0
    asked = only("MedicationRequest", *rde[:4])
    assert (asked["intent"], asked["id"]) == ("original-order", told["id"])
    given = only(
        "MedicationAdministration",
        msh("RAS^O17"),
        PID,
        "ORC|RE|P7",
        "RXA|0|1|20240101|20240102|2^Given^L|5|mg" + "|" * 13 + "CP",
    )
    assert (given["status"], given["effectivePeriod"]["end"]) == ("completed", "2024-01-02")


@pytest.mark.parametrize(
    ("event", "filler", "status"),
    [("S12", "", "booked"), ("S15", "Booked", "cancelled"), ("S26", "", "noshow"), ("S14", "Complete", "fulfilled")],
)
def test_an_appointment(event: str, filler: str, status: str) -> None:
    """SCH with its services, people and places; a cancellation is one whatever SCH-25 still says."""
    told = only(
        "Appointment",
        msh(f"SIU^{event}"),
        "SCH|P9|F9|||||ROUTINE|Normal|30|min" + "|" * 15 + filler,
        "TQ1|1||||||202401020900+0100|202401020930+0100",
        PID,
        "RGS|1",
        "AIS|1||MRI^Scan^L",
        "AIL|1||W1^R1",
        "AIP|1||5^Doc^Ann",
    )
    assert (told["status"], told["minutesDuration"]) == (status, 30)
    assert told["start"] == "2024-01-02T09:00:00+01:00"
    assert [p["actor"]["reference"].split("/")[0] for p in told["participant"]] == [
        "Patient",
        "Practitioner",
        "Location",
    ]


def test_a_document() -> None:
    """TXA with its text; its OBX are content too."""
    lines = ("OBX|1|TX|||first", "OBX|2|TX|||second~third", "OBX|3|ED|||^application^pdf^Base64^JVBE")
    told = only("DocumentReference", msh("MDM^T02"), PID, "TXA|1|DS|TX|20240101||||||||D1^SYS|||||AU||AV", *lines)
    text, data = (content["attachment"] for content in told["content"])
    assert base64.b64decode(text["data"]).decode() == "first\nsecond\nthird"
    assert data["contentType"] == "application/pdf"
    assert (told["status"], told["docStatus"]) == ("current", "final")
    assert resources("Observation", msh("MDM^T02"), PID, "TXA|1|DS", *lines) == []
    assert only("DocumentReference", msh("MDM^T01"), PID, "TXA|1|DS")["content"]


def test_a_problem_and_a_procedure() -> None:
    """PRB of a PPR, PR1 with who did it."""
    problem = only("Condition", msh("PPR^PC1"), PID, "PRB|AD|20240101|I10^H^I10|B1|||20240102")
    assert problem["category"][0]["coding"][0]["code"] == "problem-list-item"
    procedure = only("Procedure", msh("ADT^A01"), PID, "PR1|1||47.0^App^I9||202401021000+0100|||1^Anes^A|||2^Surg^B")
    assert procedure["performedDateTime"] == "2024-01-02T10:00:00+01:00"
    assert len(procedure["performer"]) == 2


SEGMENTS = (
    "OBX OBR ORC PID PV1 DG1 AL1 PR1 RXA RXE SPM SCH TXA NK1 IN1 MRG NTE IAM PRB PV2 PD1 TQ1 RXO RXR AIS AIP".split()  # noqa: SIM905
)
HOSTILE = ["", "|" * 60, "|1" * 60, '|""' * 60, "|^^^^^" * 60, "|~~&&" * 60, "|\\F\\~^a&b" * 60]


@pytest.mark.parametrize("name", SEGMENTS)
@pytest.mark.parametrize("fields", HOSTILE)
def test_hostile_fields(name: str, fields: str) -> None:
    """Empty, cleared, too many, and nothing but delimiters: rows or none, and never an error."""
    found: list[Any] = made((msh("VXU^V04"), PID, f"{name}{fields}"), (msh("ADT^A40", control="2"), f"{name}{fields}"))
    assert all(rows.frame["id"].null_count() == 0 for rows in found)
