"""Those who take part: authors, performers, organizations, places (C-CDA on FHIR, CF-participations)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from transforms.decode.ccda.datatypes import (
    Json,
    address,
    concept,
    human_name,
    identifiers,
    listed,
    made,
    moment,
    telecom,
)
from transforms.decode.ccda.draft import Draft
from transforms.decode.ccda.ids import first_id
from transforms.decode.ccda.node import Node


def practitioner(draft: Draft, entity: Node | None, person: str = "assignedPerson") -> Json | None:
    """A Reference to the Practitioner of an assigned entity or author; None for a device or when nobody is named."""
    if entity is None:
        return None
    organization(draft, entity.one("representedOrganization"))
    if entity.one("assignedAuthoringDevice") is not None:
        return None
    told = first_id(entity)
    names = listed((entity.one(person) or entity).all("name"), human_name)
    if told is None and not names:
        return None
    key = told or ("named", draft.origin, repr(names))
    fields = {
        "identifier": identifiers(entity),
        "name": names,
        "telecom": listed(entity.all("telecom"), telecom) if names else None,
        "address": listed(entity.all("addr"), address) if names else None,
    }
    return {"reference": draft.party("Practitioner", key, fields, entity.line)}


def organization(draft: Draft, node: Node | None) -> Json | None:
    """A Reference to an Organization."""
    if node is None or node.null:
        return None
    name = next((one.text for one in node.all("name") if one.text), None)
    told = first_id(node)
    if told is None and name is None:
        return None
    fields = {
        "identifier": identifiers(node),
        "type": [one] if (one := concept(node.one("standardIndustryClassCode"), draft.narrative)) else None,
        "name": name,
        "telecom": _at_work(listed(node.all("telecom"), telecom)) if name else None,
        "address": _at_work(listed(node.all("addr"), address)) if name else None,
        "partOf": organization(draft, node.one("asOrganizationPartOf", "wholeOrganization")),
    }
    return {"reference": draft.party("Organization", told or ("named", name), fields, node.line)}


def _at_work(places: list[Json]) -> list[Json]:
    """Without the use "home", which FHIR forbids for an organization (org-2, org-3)."""
    return [{k: v for k, v in one.items() if (k, v) != ("use", "home")} for one in places]


def location(draft: Draft, role: Node | None, place: str = "playingEntity") -> Json | None:
    """A Reference to the Location of a participantRole or healthCareFacility."""
    if role is None or role.null:
        return None
    entity = role.one(place)
    name = next((one.text for one in (entity.all("name") if entity else ()) if one.text), None)
    told = first_id(role)
    if told is None and name is None:
        return None
    where = role.one("addr") or (entity.one("addr") if entity else None)
    kind = concept(role.one("code"), draft.narrative)
    fields = {
        "identifier": identifiers(role),
        "name": name,
        "type": [kind] if kind and (name or where) else None,
        "telecom": listed(role.all("telecom"), telecom),
        "address": None if where is None else address(where),
    }
    return {"reference": draft.party("Location", told or ("named", name), fields, role.line)}


def authors(node: Node, outer: Node | None = None) -> Sequence[Node]:
    """The authors of an entry, else of the act around it."""
    return node.all("author") or (outer.all("author") if outer is not None else ())


def last_author(draft: Draft, nodes: Iterable[Node]) -> Json | None:
    """A Reference to the author whose time is the latest; among those without a time the last."""
    found = sorted(nodes, key=lambda one: moment(one.one("time")) or "")
    references = [practitioner(draft, one.one("assignedAuthor")) for one in found]
    return next((one for one in reversed(references) if one), None)


def performers(draft: Draft, node: Node) -> list[Json]:
    """References to those who did it."""
    found = [practitioner(draft, one.one("assignedEntity")) for one in node.all("performer")]
    return [one for one in found if one]


def performing(draft: Draft, node: Node) -> list[Json]:
    """``performer`` of a Procedure or Immunization."""
    return [
        made({"actor": actor})
        for one in node.all("performer")
        if (
            actor := practitioner(draft, one.one("assignedEntity"))
            or organization(draft, one.one("assignedEntity", "representedOrganization"))
        )
    ]
