"""``fhir_group``: groups of patients or others; called fhir_group, since GROUP is an SQL keyword (FHIR R4 Group)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.table import Table

FHIR_GROUP = Table(
    name="fhir_group",
    resource_type="Group",
    description="Groups of patients or others; called fhir_group, since GROUP is an SQL keyword.",
    elements=build(
        "Group",
        (
            *STANDARD,
            "identifier",
            "active",
            "type",
            "actual",
            "code",
            field("name", name="group_name"),
            "quantity",
            "managingEntity",
            field("characteristic", "code", "value", "exclude", "period", table="group_characteristic"),
            field("member", "entity", "period", "inactive", table="group_member"),
        ),
    ),
)
