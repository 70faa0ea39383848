"""``claim``: requests for payment (FHIR R4 13.6)."""

from __future__ import annotations

from schemas.declare import declare
from schemas.elements import field
from schemas.tables.claim_parts import ITEM, head, lists

CLAIM = declare(
    "Claim",
    "Requests for payment, and for saying beforehand what would be paid.",
    *head(decided=False),
    *lists("claim"),
    field("insurance.coverage", name="coverage", label="First coverage"),
    field(
        "insurance",
        "sequence",
        "focal",
        "identifier",
        "coverage",
        "businessArrangement",
        "preAuthRef",
        "claimResponse",
        plural="insurance",
        table="claim_insurance",
    ),
    field("item", *ITEM, field("detail", json=True), table="claim_item"),
    "total",
)
