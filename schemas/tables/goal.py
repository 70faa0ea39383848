"""``goal``: what care is to reach (FHIR R4 Goal)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.table import Table

GOAL = Table(
    name="goal",
    resource_type="Goal",
    description="What care is to reach.",
    elements=build(
        "Goal",
        (
            *STANDARD,
            "identifier",
            "lifecycleStatus",
            "achievementStatus",
            "category",
            "priority",
            "description",
            "subject",
            "start",
            field("target", "measure", "detail", "due", table="goal_target"),
            "statusDate",
            "statusReason",
            "expressedBy",
            "addresses",
            "note",
            "outcomeCode",
            "outcomeReference",
        ),
    ),
)
