"""``encounter``: visits and stays: who met whom, when, where and why (FHIR R4 8.11)."""

from __future__ import annotations

from schemas.declare import declare
from schemas.elements import field
from schemas.systems import CPT, SNOMED, V3_ACT_CODE
from schemas.tables.preferred import DIAGNOSIS, DISCHARGE

ENCOUNTER = declare(
    "Encounter",
    "Visits and stays: who met whom, when, where and why.",
    field("identifier", table="encounter_identifier"),
    "status",
    field("statusHistory", "status", "period", plural="status_history", table="encounter_status_history"),
    field("class", name="encounter_class", prefer=(V3_ACT_CODE,)),
    field(
        "classHistory",
        field("class", name="encounter_class", prefer=(V3_ACT_CODE,)),
        "period",
        plural="class_history",
        table="encounter_class_history",
    ),
    field("type", prefer=(SNOMED, CPT)),
    "serviceType",
    "priority",
    "subject",
    field("episodeOfCare", plural="episodes_of_care"),
    "basedOn",
    field("participant.individual", name="individual", label="First participant"),
    field("participant", "type", "period", "individual", table="encounter_participant"),
    "appointment",
    "period",
    "length",
    field("reasonCode", prefer=DIAGNOSIS),
    "reasonReference",
    field("diagnosis.condition", name="diagnosis", label="First diagnosis"),
    field("diagnosis", "condition", "use", "rank", plural="diagnoses", table="encounter_diagnosis"),
    "account",
    field("hospitalization.preAdmissionIdentifier", name="pre_admission_identifier"),
    field("hospitalization.origin", name="origin", label="Place from which the patient came"),
    field("hospitalization.admitSource", name="admit_source"),
    field("hospitalization.reAdmission", name="re_admission"),
    field("hospitalization.dietPreference", name="diet_preference"),
    field("hospitalization.specialCourtesy", name="special_courtesy"),
    field("hospitalization.specialArrangement", name="special_arrangement"),
    field("hospitalization.destination", name="destination", label="Place to which the patient went"),
    field("hospitalization.dischargeDisposition", name="discharge_disposition", prefer=DISCHARGE),
    field("location.location", name="location", label="First location"),
    field("location", "location", "status", "physicalType", "period", table="encounter_location"),
    "serviceProvider",
    "partOf",
)
