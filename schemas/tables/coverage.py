"""``coverage``: insurance and other means of payment (FHIR R4 13.1)."""

from __future__ import annotations

from schemas.declare import declare
from schemas.elements import field

COVERAGE = declare(
    "Coverage",
    "Insurance and other means of payment.",
    "identifier",
    "status",
    "type",
    "policyHolder",
    "subscriber",
    field("subscriberId", name="subscriber_number", phi=True, label="Number that the insurer gave the subscriber"),
    field("beneficiary", name="patient", label="Beneficiary"),
    field("dependent", phi=True, label="Number of the dependent"),
    "relationship",
    "period",
    field("payor", table="coverage_payor"),
    field("class", "type", field("value", phi=True), "name", plural="classes", table="coverage_class"),
    field("order", name="coverage_order", label="Order in which coverages are used"),
    "network",
    field(
        "costToBeneficiary",
        "type",
        "value",
        field("exception", "type", "period"),
        plural="costs_to_beneficiary",
        table="coverage_cost_to_beneficiary",
    ),
    "subrogation",
    "contract",
)
