"""``medication_statement``: medication that a patient is said to take (FHIR R4 MedicationStatement)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.systems import RXNORM
from schemas.table import Table

MEDICATION_STATEMENT = Table(
    name="medication_statement",
    resource_type="MedicationStatement",
    description="Medication that a patient is said to take.",
    elements=build(
        "MedicationStatement",
        (
            *STANDARD,
            "identifier",
            "basedOn",
            "partOf",
            "status",
            "statusReason",
            "category",
            field("medication", prefer=(RXNORM,)),
            "subject",
            "context",
            "effective",
            "dateAsserted",
            "informationSource",
            "derivedFrom",
            "reasonCode",
            "reasonReference",
            "note",
            field("dosage", table="medication_statement_dosage"),
        ),
    ),
)
