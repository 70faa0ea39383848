"""``provenance``: who made or changed a record (FHIR R4 6.3)."""

from __future__ import annotations

from schemas.declare import declare
from schemas.elements import field

_AGENT = ("type", "role", "who", "onBehalfOf")

PROVENANCE = declare(
    "Provenance",
    "Who made or changed a record.",
    field("target", table="provenance_target"),
    "occurred",
    "recorded",
    "policy",
    "location",
    "reason",
    "activity",
    field("agent.type", name="agent_role_type", label="Type of the first agent"),
    field("agent.who", name="agent", label="First agent"),
    field("agent", *_AGENT, plural="agents", table="provenance_agent"),
    field("entity", "role", "what", field("agent", *_AGENT), plural="entities", table="provenance_entity"),
    field("signature", plural="signatures"),
)
