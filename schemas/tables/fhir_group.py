"""``fhir_group``: groups of patients and others; called so because GROUP is an SQL keyword (FHIR R4 8.3)."""

from __future__ import annotations

import polars as pl

from schemas.declare import declare
from schemas.elements import field
from schemas.invariants import row_is

FHIR_GROUP = declare(
    "Group",
    "Groups of patients and others. Called fhir_group because GROUP is an SQL keyword.",
    "identifier",
    "active",
    "type",
    "actual",
    "code",
    field("name", name="group_name"),
    field("quantity", label="Number of members"),
    "managingEntity",
    field("characteristic", "code", "value", "exclude", "period", table="group_characteristic"),
    field("member", "entity", "period", "inactive", table="group_member"),
    rules=(
        row_is(
            "grp-1",
            "Only an actual group has members.",
            (pl.col("members").list.len() == 0) | pl.col("actual"),
            "members",
            "actual",
        ),
    ),
)
