"""``medication``: drugs and what they are made of (FHIR R4 Medication)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.systems import RXNORM
from schemas.table import Table

MEDICATION = Table(
    name="medication",
    resource_type="Medication",
    description="Drugs and what they are made of.",
    elements=build(
        "Medication",
        (
            *STANDARD,
            "identifier",
            field("code", prefer=(RXNORM,)),
            "status",
            "manufacturer",
            "form",
            "amount",
            field("ingredient", "item", "isActive", "strength", table="medication_ingredient"),
            field("batch.lotNumber"),
            field("batch.expirationDate"),
        ),
    ),
)
