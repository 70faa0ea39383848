"""``practitioner``: people who give care (FHIR R4 Practitioner)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.table import Table

PRACTITIONER = Table(
    name="practitioner",
    resource_type="Practitioner",
    description="People who give care.",
    elements=build(
        "Practitioner",
        (
            *STANDARD,
            "identifier",
            "active",
            "name",
            "telecom",
            "address",
            "gender",
            "birthDate",
            field("photo", json=True),
            field("qualification", "identifier", "code", "period", "issuer", name="qualifications"),
            "communication",
        ),
    ),
)
