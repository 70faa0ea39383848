"""``organization``: hospitals, departments, payers, companies (FHIR R4 Organization)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.table import Table

ORGANIZATION = Table(
    name="organization",
    resource_type="Organization",
    description="Hospitals, departments, payers, companies.",
    elements=build(
        "Organization",
        (
            *STANDARD,
            "identifier",
            "active",
            "type",
            field("name", name="organization_name"),
            field("alias", name="aliases"),
            "telecom",
            "address",
            "partOf",
            field("contact", "purpose", "name", "address", name="contacts"),
            "endpoint",
        ),
    ),
)
