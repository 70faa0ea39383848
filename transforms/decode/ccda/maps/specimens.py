"""Specimens of results (CF-results)."""

from __future__ import annotations

from transforms.decode.ccda.datatypes import Json, concept, identifiers, made, moment
from transforms.decode.ccda.draft import Draft
from transforms.decode.ccda.node import Node

_COLLECTION = "17636008"  # SNOMED CT: specimen collection


def specimens(draft: Draft, node: Node) -> list[Json]:
    """References to the Specimens of a result or organizer; none when it is not said what they are."""
    found: list[Json] = []
    for one in node.all("specimen"):
        role = one.one("specimenRole")
        if role is None:
            continue
        entity = role.one("specimenPlayingEntity")
        kind = None if entity is None else concept(entity.one("code"), draft.narrative, null=False)
        name = None if entity is None else next((n.text for n in entity.all("name") if n.text), None)
        told = kind or ({"text": name} if name else None)
        if told is None:
            continue
        fields = {
            "identifier": identifiers(role),
            "type": told,
            "subject": draft.subject(),
            "collection": _collection(draft, node),
        }
        found.append({"reference": draft.add("Specimen", role, fields)})
    return found


def _collection(draft: Draft, node: Node) -> Json | None:
    for component in node.all("component"):
        for procedure in component.all("procedure"):
            code = procedure.one("code")
            if code is not None and code.get("code") == _COLLECTION:
                site = concept(procedure.one("targetSiteCode"), draft.narrative)
                at = moment(procedure.one("effectiveTime"))
                return made({"bodySite": site, "collectedDateTime": at}) or None
    return None
