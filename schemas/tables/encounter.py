"""``encounter``: visits and stays: who met whom, when, where and why (FHIR R4 Encounter)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.systems import SNOMED, V3_ACT_CODE
from schemas.table import Table

ENCOUNTER = Table(
    name="encounter",
    resource_type="Encounter",
    description="Visits and stays: who met whom, when, where and why.",
    elements=build(
        "Encounter",
        (
            *STANDARD,
            "identifier",
            "status",
            field("statusHistory", "status", "period", name="status_history"),
            field("class", name="encounter_class", prefer=(V3_ACT_CODE,)),
            field("classHistory", "class", "period", name="class_history"),
            field("type", prefer=(SNOMED,)),
            "serviceType",
            "priority",
            "subject",
            "episodeOfCare",
            "basedOn",
            field("participant", "type", "period", "individual", table="encounter_participant"),
            "appointment",
            "period",
            "length",
            field("reasonCode", prefer=(SNOMED,)),
            "reasonReference",
            field("diagnosis", "condition", "use", "rank", table="encounter_diagnosis"),
            "account",
            field("hospitalization.preAdmissionIdentifier"),
            field("hospitalization.origin"),
            field("hospitalization.admitSource"),
            field("hospitalization.reAdmission"),
            field("hospitalization.dietPreference"),
            field("hospitalization.specialCourtesy"),
            field("hospitalization.specialArrangement"),
            field("hospitalization.destination"),
            field("hospitalization.dischargeDisposition"),
            field("location", "location", "status", "physicalType", "period", table="encounter_location"),
            "serviceProvider",
            "partOf",
        ),
    ),
)
