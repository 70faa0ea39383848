"""``coverage``: insurance and other means of payment (FHIR R4 Coverage)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.table import Table

COVERAGE = Table(
    name="coverage",
    resource_type="Coverage",
    description="Insurance and other means of payment.",
    elements=build(
        "Coverage",
        (
            *STANDARD,
            "identifier",
            "status",
            "type",
            "policyHolder",
            "subscriber",
            field("subscriberId", name="subscriber_number", phi=True),
            "beneficiary",
            "dependent",
            "relationship",
            "period",
            "payor",
            field("class", "type", "value", "name", name="classes", table="coverage_class"),
            field("order", name="coverage_order"),
            "network",
            field("costToBeneficiary", "type", "value", name="costs_to_beneficiary"),
            "subrogation",
            "contract",
        ),
    ),
)
