"""``care_plan``: plans of care and their activities (FHIR R4 CarePlan)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.table import Table

CARE_PLAN = Table(
    name="care_plan",
    resource_type="CarePlan",
    description="Plans of care and their activities.",
    elements=build(
        "CarePlan",
        (
            *STANDARD,
            "identifier",
            "instantiatesCanonical",
            "instantiatesUri",
            "basedOn",
            "replaces",
            "partOf",
            "status",
            "intent",
            "category",
            "title",
            "description",
            "subject",
            "encounter",
            "period",
            "created",
            "author",
            "contributor",
            "careTeam",
            "addresses",
            "supportingInfo",
            "goal",
            field(
                "activity",
                "outcomeCodeableConcept",
                "reference",
                field("detail.kind"),
                field("detail.code", name="detail_code"),
                field("detail.status", name="detail_status"),
                field("detail.doNotPerform"),
                field("detail.location", name="detail_location"),
                field("detail.description", name="detail_description"),
                field("progress", json=True),
                table="care_plan_activity",
            ),
            "note",
        ),
    ),
)
