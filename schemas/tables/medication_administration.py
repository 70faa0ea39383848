"""``medication_administration``: medication given to or taken by a patient (FHIR R4 MedicationAdministration)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.systems import RXNORM
from schemas.table import Table

MEDICATION_ADMINISTRATION = Table(
    name="medication_administration",
    resource_type="MedicationAdministration",
    description="Medication given to or taken by a patient.",
    elements=build(
        "MedicationAdministration",
        (
            *STANDARD,
            "identifier",
            "instantiates",
            "partOf",
            "status",
            "statusReason",
            "category",
            field("medication", prefer=(RXNORM,)),
            "subject",
            "context",
            "supportingInformation",
            "effective",
            field("performer", "function", "actor", table="medication_administration_performer"),
            "reasonCode",
            "reasonReference",
            "request",
            "device",
            "note",
            field("dosage.text"),
            field("dosage.site"),
            field("dosage.route"),
            field("dosage.method"),
            field("dosage.dose"),
            field("dosage.rate"),
            "eventHistory",
        ),
    ),
)
