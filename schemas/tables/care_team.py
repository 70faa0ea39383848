"""``care_team``: who takes part in the care of a patient (FHIR R4 CareTeam)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.table import Table

CARE_TEAM = Table(
    name="care_team",
    resource_type="CareTeam",
    description="Who takes part in the care of a patient.",
    elements=build(
        "CareTeam",
        (
            *STANDARD,
            "identifier",
            "status",
            "category",
            field("name", name="care_team_name"),
            "subject",
            "encounter",
            "period",
            field("participant", "role", "member", "onBehalfOf", "period", table="care_team_participant"),
            "reasonCode",
            "reasonReference",
            "managingOrganization",
            "telecom",
            "note",
        ),
    ),
)
