"""Immunization activities (CF-immunizations)."""

from __future__ import annotations

from transforms.decode.ccda.datatypes import (
    Json,
    concept,
    earliest,
    identifiers,
    made,
    moment,
    number,
    quantity,
    says,
)
from transforms.decode.ccda.draft import Draft, Kept
from transforms.decode.ccda.maps.parts import notes, reasons, related, status_of
from transforms.decode.ccda.maps.people import organization, performing
from transforms.decode.ccda.node import Node

# ConceptMap CF-ImmunizationStatus
_STATUS = {
    "aborted": "not-done",
    "cancelled": "not-done",
    "completed": "completed",
    "held": "not-done",
    "new": "not-done",
    "nullified": "entered-in-error",
    "obsolete": "not-done",
    "suspended": "not-done",
}
_REFUSAL = "2.16.840.1.113883.10.20.22.4.53"


def immunization(draft: Draft, node: Node) -> bool:
    """An Immunization Activity; one that is only wished for is none."""
    product = node.one("consumable", "manufacturedProduct")
    material = None if product is None else product.one("manufacturedMaterial")
    code = None if material is None else material.one("code")
    if node.null or material is None or not says(code, draft.narrative):
        draft.why = Kept.NONE_KNOWN if node.negated else Kept.NULL
        return False
    if node.get("moodCode") not in (None, "EVN"):
        draft.why = Kept.UNMAPPED
        return False
    time, lot, dose = node.one("effectiveTime"), material.one("lotNumberText"), node.one("repeatNumber")
    count = None if dose is None else number(dose.get("value"))
    fields: Json = {
        "identifier": identifiers(node),
        "status": "not-done" if node.negated else status_of(node, _STATUS),
        "statusReason": _refusal(draft, node),
        "vaccineCode": concept(code, draft.narrative),
        "patient": draft.subject(),
        "occurrenceDateTime": None if time is None else moment(time) or moment(time.one("low")),
        "recorded": earliest(node.all("author")),
        "manufacturer": organization(draft, product.one("manufacturerOrganization") if product is not None else None),
        "lotNumber": lot.text if lot is not None else None,
        "site": concept(node.one("approachSiteCode"), draft.narrative),
        "route": concept(node.one("routeCode"), draft.narrative),
        "doseQuantity": quantity(node.one("doseQuantity"), draft.narrative),
        "performer": performing(draft, node),
        "note": notes(draft, node),
        "reasonCode": reasons(draft, node),
        "reaction": _reactions(node),
    }
    if count is not None and bytes(count).isdigit() and int(bytes(count)) > 0 and not node.negated:
        fields["protocolApplied"] = [{"doseNumberPositiveInt": count}]
    draft.add("Immunization", node, fields)
    return True


def _refusal(draft: Draft, node: Node) -> Json | None:
    for one in related(node, "observation", "RSON"):
        if _REFUSAL in one.templates:
            return concept(one.one("code"), draft.narrative, null=False)
    return None


def _reactions(node: Node) -> list[Json]:
    """When something was seen after it; what was seen is an observation of its own."""
    found = []
    for one in related(node, "observation", "MFST"):
        time = one.one("effectiveTime")
        at = None if time is None else moment(time) or moment(time.one("low"))
        if at and not one.negated:
            found.append(made({"date": at}))
    return found
