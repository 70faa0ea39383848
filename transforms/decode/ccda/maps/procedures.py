"""Procedures that were done: Procedure (CF-procedures)."""

from __future__ import annotations

from transforms.decode.ccda.datatypes import Json, concept, identifiers, says, timing
from transforms.decode.ccda.draft import Draft, Kept
from transforms.decode.ccda.maps.observations import PROCEDURE, observation
from transforms.decode.ccda.maps.parts import notes, reasons, status_of
from transforms.decode.ccda.maps.people import authors, last_author, location, performing
from transforms.decode.ccda.maps.values import value_of
from transforms.decode.ccda.node import Node

# ConceptMap CF-ProcedureStatus
_STATUS = {
    "aborted": "stopped",
    "active": "in-progress",
    "cancelled": "not-done",
    "completed": "completed",
    "nullified": "entered-in-error",
}


def procedure(draft: Draft, node: Node) -> bool:
    """A Procedure Activity, be it a procedure, an act or an observation."""
    if node.null or not says(node.one("code"), draft.narrative):
        draft.why = Kept.NONE_KNOWN if node.negated and not node.null else Kept.NULL
        return False
    if node.get("moodCode") not in (None, "EVN"):
        draft.why = Kept.UNMAPPED
        return False
    places = [
        place
        for one in node.all("participant")
        if one.get("typeCode") == "LOC" and (place := location(draft, one.one("participantRole")))
    ]
    fields: Json = {
        "identifier": identifiers(node),
        "status": "not-done" if node.negated else status_of(node, _STATUS),
        "code": concept(node.one("code"), draft.narrative),
        "subject": draft.subject(),
        "recorder": last_author(draft, authors(node)),
        "performer": performing(draft, node),
        "location": places[0] if places else None,
        "reasonCode": reasons(draft, node),
        "bodySite": [one for each in node.all("targetSiteCode") if (one := concept(each, draft.narrative))],
        "note": notes(draft, node),
    }
    fields |= timing(node.one("effectiveTime"), "performed")
    draft.add("Procedure", node, fields)
    if node.name == "observation" and value_of(draft, node.one("value")):
        observation(draft, node, PROCEDURE)  # what was found, for which a Procedure has no place
    return True
