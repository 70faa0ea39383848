"""Encounters: that of the document and those of its entries (CF-encounters)."""

from __future__ import annotations

from transforms.decode.ccda.datatypes import Json, concept, identifiers, made, moment, period
from transforms.decode.ccda.draft import Draft
from transforms.decode.ccda.maps.parts import reasons, related, status_of
from transforms.decode.ccda.maps.people import location, practitioner
from transforms.decode.ccda.maps.problems import diagnoses
from transforms.decode.ccda.node import Node

_ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
# C-CDA on FHIR, ConceptMap CF-EncounterStatus
_STATUS = {
    "aborted": "unknown",
    "active": "in-progress",
    "cancelled": "cancelled",
    "completed": "finished",
    "held": "planned",
    "new": "unknown",
    "suspended": "onleave",
    "nullified": "entered-in-error",
}
_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"


def encompassing(draft: Draft, node: Node | None) -> str | None:
    """The id of the encounter that the document is about."""
    if node is None:
        return None
    fields = _common(draft, node)
    fields["participant"] = [
        made(
            {
                "type": [_role(one.get("typeCode"))] if one.get("typeCode") else None,
                "individual": practitioner(draft, one.one("assignedEntity")),
                "period": _time(one.one("time")),
            }
        )
        for name in ("responsibleParty", "encounterParticipant")
        for one in node.all(name)
        if practitioner(draft, one.one("assignedEntity"))
    ]
    place = location(draft, node.one("location", "healthCareFacility"), "location")
    fields["location"] = [{"location": place}] if place else None
    leaving = concept(node.one("dischargeDispositionCode"), draft.narrative)
    fields["hospitalization"] = {"dischargeDisposition": leaving} if leaving else None
    fields["status"] = _of_time(node.one("effectiveTime"))
    return draft.add("Encounter", node, fields).partition("/")[2]


def encounter(draft: Draft, node: Node) -> bool:
    """An Encounter Activity."""
    fields = _common(draft, node)
    found = status_of(node, _STATUS)
    told = _of_time(node.one("effectiveTime"))
    # The map: what the times say goes before completed and active.
    fields["status"] = found if found not in (None, "finished", "in-progress") or told is None else told
    fields["participant"] = [
        made(
            {
                "type": [kind] if (kind := concept(one.one("sdtc:functionCode"), draft.narrative)) else None,
                "individual": individual,
            }
        )
        for one in node.all("performer")
        if (individual := practitioner(draft, one.one("assignedEntity")))
    ]
    fields["location"] = [
        {"location": place}
        for one in node.all("participant")
        if one.get("typeCode") == "LOC" and (place := location(draft, one.one("participantRole")))
    ]
    leaving = concept(node.one("sdtc:dischargeDispositionCode"), draft.narrative)
    fields["hospitalization"] = {"dischargeDisposition": leaving} if leaving else None
    fields["reasonCode"] = reasons(draft, node)
    found_conditions = [one for act in related(node, "act") for one in diagnoses(draft, act, "encounter-diagnosis")]
    fields["diagnosis"] = [{"condition": {"reference": one}} for one in found_conditions]
    draft.add("Encounter", node, fields)
    return True


def _common(draft: Draft, node: Node) -> Json:
    code = concept(node.one("code"), draft.narrative) or {}
    codes = code.get("coding")
    listed = codes if isinstance(codes, list) else []
    classes = [one for one in listed if one.get("system") == _ACT_CODE]
    others = [one for one in listed if one.get("system") != _ACT_CODE]
    kind = made({"coding": others, "text": code.get("text")})
    return {
        "identifier": identifiers(node),
        "class": classes[0] if classes else None,
        "type": [kind] if kind else None,
        "subject": draft.subject(),
        "period": _time(node.one("effectiveTime")),
    }


def _time(node: Node | None) -> Json | None:
    """The Period of an IVL_TS; a single time is its start, as the map has it."""
    if node is None:
        return None
    point = moment(node)
    return {"start": point} if point is not None else period(node)


def _of_time(node: Node | None) -> str | None:
    bounds = _time(node)
    if node is None or bounds is None:
        return None
    return "finished" if "end" in bounds or moment(node) else "in-progress"


def _role(code: str | None) -> Json:
    return {"coding": [made({"system": _PARTICIPATION, "code": code})]}
