"""``medication``: products that requests and the like refer to (FHIR R4 11.5)."""

from __future__ import annotations

from schemas.declare import declare
from schemas.elements import field
from schemas.tables.preferred import DRUG

MEDICATION = declare(
    "Medication",
    "Products that orders, administrations and dispenses refer to.",
    "identifier",
    field("code", prefer=DRUG),
    "status",
    "manufacturer",
    "form",
    "amount",
    field("ingredient", field("item", prefer=DRUG), "isActive", "strength", table="medication_ingredient"),
    field("batch.lotNumber", name="lot_number"),
    field("batch.expirationDate", name="expiration"),
    personal=False,
)
