"""``medication_statement``: what patients take, as told by someone (FHIR R4 11.4)."""

from __future__ import annotations

from schemas.declare import declare
from schemas.elements import field
from schemas.tables.preferred import DIAGNOSIS, DRUG

MEDICATION_STATEMENT = declare(
    "MedicationStatement",
    "What patients take, as told by someone.",
    "identifier",
    "basedOn",
    "partOf",
    "status",
    "statusReason",
    "category",
    field("medication", prefer=DRUG),
    "subject",
    "context",
    "effective",
    "dateAsserted",
    "informationSource",
    "derivedFrom",
    field("reasonCode", prefer=DIAGNOSIS),
    "reasonReference",
    "note",
    field("dosage", table="medication_statement_dosage"),
)
