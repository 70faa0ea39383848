"""``provenance``: who made or changed a record (FHIR R4 Provenance)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.table import Table

PROVENANCE = Table(
    name="provenance",
    resource_type="Provenance",
    description="Who made or changed a record.",
    elements=build(
        "Provenance",
        (
            *STANDARD,
            field("target", table="provenance_target"),
            "occurred",
            "recorded",
            "policy",
            "location",
            "reason",
            "activity",
            field("agent", "type", "role", "who", "onBehalfOf", table="provenance_agent"),
            field("entity", "role", "what", plural="entities"),
            field("signature", json=True),
        ),
    ),
)
