"""``care_team``: the people and organizations that care for a patient (FHIR R4 9.8)."""

from __future__ import annotations

import polars as pl

from schemas.declare import declare
from schemas.elements import field
from schemas.invariants import each_is
from schemas.tables.preferred import DIAGNOSIS, SPECIALTY

_BEHALF = pl.any_horizontal(pl.col(f"on_behalf_of_{part}").is_not_null() for part in ("id", "reference", "display"))

CARE_TEAM = declare(
    "CareTeam",
    "The people and organizations that care for a patient.",
    "identifier",
    "status",
    "category",
    field("name", name="care_team_name"),
    "subject",
    "encounter",
    "period",
    field(
        "participant",
        field("role", prefer=SPECIALTY),
        "member",
        "onBehalfOf",
        "period",
        table="care_team_participant",
    ),
    field("reasonCode", prefer=DIAGNOSIS),
    "reasonReference",
    "managingOrganization",
    "telecom",
    "note",
    rules=(
        each_is(
            "ctm-1",
            "participants",
            "Only a practitioner takes part on behalf of an organization.",
            ~_BEHALF | (pl.col("member_type") == "Practitioner"),
            "member_type",
            "on_behalf_of_id",
            "on_behalf_of_reference",
            "on_behalf_of_display",
        ),
    ),
)
