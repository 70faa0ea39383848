"""``explanation_of_benefit``: claims as decided: what was charged, allowed and paid (FHIR R4 13.10)."""

from __future__ import annotations

from schemas.declare import declare
from schemas.elements import field
from schemas.tables.claim_parts import ADDED_SERVICE, ADJUDICATION, ITEM, head, lists

_TABLE = "explanation_of_benefit"

EXPLANATION_OF_BENEFIT = declare(
    "ExplanationOfBenefit",
    "Claims as decided: what was charged, allowed and paid.",
    *head(decided=True),
    "claim",
    "claimResponse",
    "outcome",
    "disposition",
    "preAuthRef",
    field("preAuthRefPeriod", plural="pre_auth_ref_periods"),
    *lists(_TABLE),
    "precedence",
    field("insurance.coverage", name="coverage", label="First coverage"),
    field("insurance", "focal", "coverage", "preAuthRef", plural="insurance", table=f"{_TABLE}_insurance"),
    field("item", *ITEM, "noteNumber", ADJUDICATION, field("detail", json=True), table=f"{_TABLE}_item"),
    field(
        "addItem",
        "itemSequence",
        "detailSequence",
        field("subDetailSequence", name="sub_detail_sequence"),
        "provider",
        *ADDED_SERVICE,
        "noteNumber",
        ADJUDICATION,
        field("detail", json=True),
        plural="added_items",
        table=f"{_TABLE}_added_item",
    ),
    field("adjudication", "category", "reason", "amount", "value", table=f"{_TABLE}_adjudication"),
    field("total", "category", "amount", table=f"{_TABLE}_total"),
    field("payment.type", name="payment_type"),
    field("payment.adjustment", name="payment_adjustment"),
    field("payment.adjustmentReason", name="payment_adjustment_reason"),
    field("payment.date", name="payment"),
    field("payment.amount", name="payment_amount"),
    field("payment.identifier", name="payment_identifier"),
    "formCode",
    "form",
    field("processNote", "number", "type", "text", "language", plural="process_notes"),
    "benefitPeriod",
    field(
        "benefitBalance",
        "category",
        "excluded",
        "name",
        "description",
        "network",
        "unit",
        "term",
        field("financial", "type", "allowed", "used", plural="financials"),
        plural="benefit_balances",
        table=f"{_TABLE}_benefit_balance",
    ),
)
