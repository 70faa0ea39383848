"""``medication_dispense``: medication handed out (FHIR R4 MedicationDispense)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.systems import RXNORM
from schemas.table import Table

MEDICATION_DISPENSE = Table(
    name="medication_dispense",
    resource_type="MedicationDispense",
    description="Medication handed out.",
    elements=build(
        "MedicationDispense",
        (
            *STANDARD,
            "identifier",
            "partOf",
            "status",
            "statusReason",
            "category",
            field("medication", prefer=(RXNORM,)),
            "subject",
            "context",
            "supportingInformation",
            field("performer", "function", "actor", table="medication_dispense_performer"),
            "location",
            "authorizingPrescription",
            "type",
            "quantity",
            "daysSupply",
            "whenPrepared",
            "whenHandedOver",
            "destination",
            "receiver",
            "note",
            field("dosageInstruction", table="medication_dispense_dosage"),
            field("substitution.wasSubstituted"),
            field("substitution.type", name="substitution_type"),
            field("substitution.reason", name="substitution_reason"),
            "detectedIssue",
            "eventHistory",
        ),
    ),
)
