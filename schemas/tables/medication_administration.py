"""``medication_administration``: medication given, or not given and why (FHIR R4 11.3)."""

from __future__ import annotations

from schemas.declare import declare
from schemas.elements import field
from schemas.invariants import row_needs
from schemas.tables.preferred import DIAGNOSIS, DRUG

MEDICATION_ADMINISTRATION = declare(
    "MedicationAdministration",
    "Medication given, or not given and why.",
    "identifier",
    "instantiates",
    "partOf",
    "status",
    "statusReason",
    "category",
    field("medication", prefer=DRUG),
    "subject",
    "context",
    field("supportingInformation", plural="supporting_information_list"),
    "effective",
    field("performer.actor", name="performer", label="First performer"),
    field("performer", "function", "actor", plural="performers", table="medication_administration_performer"),
    field("reasonCode", prefer=DIAGNOSIS),
    "reasonReference",
    "request",
    "device",
    "note",
    field("dosage", "text", "site", "route", "method", "dose", "rate"),
    field("eventHistory", plural="event_history"),
    rules=(row_needs("mad-1", "dosage", "dosage_dose", "dosage_rate"),),
)
