"""``care_plan``: plans of care and their activities (FHIR R4 9.5)."""

from __future__ import annotations

from schemas.declare import declare
from schemas.elements import field
from schemas.invariants import each_has_only_one
from schemas.tables.preferred import CARE_PLAN_CATEGORY, DIAGNOSIS

CARE_PLAN = declare(
    "CarePlan",
    "Plans of care and their activities.",
    "identifier",
    "instantiatesCanonical",
    "instantiatesUri",
    "basedOn",
    field("replaces", plural="replaces_list"),
    "partOf",
    "status",
    "intent",
    field("category", prefer=CARE_PLAN_CATEGORY),
    "title",
    field("description", phi=True),
    "subject",
    "encounter",
    "period",
    "created",
    "author",
    "contributor",
    "careTeam",
    field("addresses", plural="addresses_list", table="care_plan_addresses"),
    field("supportingInfo", plural="supporting_info_list"),
    field("goal", table="care_plan_goal"),
    field(
        "activity",
        field("outcomeCodeableConcept", name="outcome_code"),
        field("outcomeReference", name="outcome", plural="outcome_references"),
        field("progress", plural="progress"),
        field("reference", name="request", label="Request that details the activity"),
        field(
            "detail",
            "kind",
            "instantiatesCanonical",
            "instantiatesUri",
            "code",
            field("reasonCode", prefer=DIAGNOSIS),
            "reasonReference",
            "goal",
            "status",
            "statusReason",
            "doNotPerform",
            "scheduled",
            "location",
            "performer",
            "product",
            "dailyAmount",
            "quantity",
            field("description", phi=True),
        ),
        plural="activities",
        table="care_plan_activity",
    ),
    "note",
    rules=(each_has_only_one("cpl-3", "activities", "detail", "request"),),
)
