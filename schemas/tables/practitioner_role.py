"""``practitioner_role``: what practitioners do, where and for whom (FHIR R4 PractitionerRole)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.table import Table

PRACTITIONER_ROLE = Table(
    name="practitioner_role",
    resource_type="PractitionerRole",
    description="What practitioners do, where and for whom.",
    elements=build(
        "PractitionerRole",
        (
            *STANDARD,
            "identifier",
            "active",
            "period",
            "practitioner",
            "organization",
            field("code", name="role"),
            "specialty",
            "location",
            "healthcareService",
            "telecom",
            field("availableTime", json=True),
            field("notAvailable", json=True),
            "availabilityExceptions",
            "endpoint",
        ),
    ),
)
