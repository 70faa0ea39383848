"""What is planned: ServiceRequest and Goal. C-CDA on FHIR has no map for these; mood and status are those of HL7's own
value sets.
"""

from __future__ import annotations

from transforms.decode.ccda.datatypes import Json, concept, earliest, identifiers, moment, says, timing
from transforms.decode.ccda.draft import Draft, Kept
from transforms.decode.ccda.maps.parts import notes, reasons, status_of
from transforms.decode.ccda.maps.people import authors, last_author, performers
from transforms.decode.ccda.maps.values import value_of
from transforms.decode.ccda.node import Node

# v3 ActMood to FHIR R4 request-intent
_INTENT = {"INT": "plan", "RQO": "order", "PRMS": "plan", "PRP": "proposal", "ARQ": "proposal", "APT": "plan"}
_STATUS = {
    "active": "active",
    "completed": "completed",
    "aborted": "revoked",
    "cancelled": "revoked",
    "held": "on-hold",
    "suspended": "on-hold",
    "new": "draft",
    "nullified": "entered-in-error",
}
_LIFECYCLE = {
    "new": "proposed",
    "active": "active",
    "completed": "completed",
    "cancelled": "cancelled",
    "aborted": "cancelled",
}


def planned(draft: Draft, node: Node) -> bool:
    """A planned act, observation, procedure or encounter: a ServiceRequest; in the mood of a goal (R1.1) a Goal."""
    if node.get("moodCode") == "GOL":
        return goal(draft, node)
    code = node.one("code")
    if node.null or not says(code, draft.narrative):
        draft.why = Kept.NULL
        return False
    intent = _INTENT.get(node.get("moodCode") or "")
    if node.negated or intent is None:
        draft.why = Kept.NEGATED if node.negated else Kept.UNMAPPED
        return False
    by = authors(node)
    fields: Json = {
        "identifier": identifiers(node),
        "status": status_of(node, _STATUS),
        "intent": intent,
        "code": concept(code, draft.narrative),
        "subject": draft.subject(),
        "authoredOn": earliest(by),
        "requester": last_author(draft, by),
        "performer": performers(draft, node),
        "reasonCode": reasons(draft, node),
        "bodySite": [one for each in node.all("targetSiteCode") if (one := concept(each, draft.narrative))],
        "note": notes(draft, node),
    }
    fields |= timing(node.one("effectiveTime"), "occurrence")
    draft.add("ServiceRequest", node, fields)
    return True


def goal(draft: Draft, node: Node) -> bool:
    """A Goal Observation."""
    value = value_of(draft, node.one("value"))
    code = concept(node.one("code"), draft.narrative, null=False)
    said = draft.narrative.of(node.one("text"))
    description = (
        {"text": said}
        if said
        else value.get("valueCodeableConcept") or ({"text": value["valueString"]} if "valueString" in value else code)
    )
    if node.null or node.negated or description is None:
        draft.why = Kept.NEGATED if node.negated else Kept.NULL
        return False
    time = node.one("effectiveTime")
    begins = None if time is None else moment(time) or moment(time.one("low")) or moment(time.one("center"))
    due = None if time is None else moment(time.one("high"))
    target: Json = {}
    if due:
        target["dueDate"] = due[:8]
    if code and "valueQuantity" in value:
        target |= {"measure": code, "detailQuantity": value["valueQuantity"]}
    fields: Json = {
        "identifier": identifiers(node),
        "lifecycleStatus": status_of(node, _LIFECYCLE),
        "description": description,
        "subject": draft.subject(),
        "startDate": begins[:8] if begins else None,
        "target": [target] if target else None,
        "expressedBy": last_author(draft, authors(node)),
        "note": notes(draft, node),
    }
    draft.add("Goal", node, fields)
    return True
