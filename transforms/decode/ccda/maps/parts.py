"""What entries of several kinds have in common: comments, reasons, status observations within them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from transforms.decode.ccda.datatypes import Json, concept, fixed, made, moment
from transforms.decode.ccda.draft import Draft
from transforms.decode.ccda.maps.people import practitioner
from transforms.decode.ccda.node import Node

STATEMENTS = (
    "act",
    "observation",
    "organizer",
    "substanceAdministration",
    "supply",
    "procedure",
    "encounter",
    "observationMedia",
    "regionOfInterest",
)
_COMMENT = "48767-8"  # LOINC: annotation comment
CCDA = "2.16.840.1.113883.10.20.22.4."  # begins the roots of C-CDA's entry templates
_STATUS = "33999-4"  # LOINC: status


def related(node: Node, tag: str, type_code: str | None = None) -> Iterator[Node]:
    """The statements of this element name that entryRelationships (of a type) hold."""
    for relation in node.all("entryRelationship"):
        if type_code is None or relation.get("typeCode") == type_code:
            yield from relation.all(tag)


def coded(node: Node, code: str) -> Node | None:
    """The first related observation of this code."""
    return next((one for one in related(node, "observation") if _code(one) == code), None)


def templated(node: Node, tag: str, template: str) -> Node | None:
    """The first related statement of this template."""
    return next((one for one in related(node, tag) if template in one.templates), None)


def read_all(draft: Draft, nodes: Iterable[Node], read: Callable[[Node], str | None]) -> list[str]:
    """References to what is made of each; when any is, the others are kept by themselves, else their entry is."""
    found, left = [], []
    for node in nodes:
        reference = read(node)
        if reference is None:
            left.append((node, draft.why))
        else:
            found.append(reference)
    for node, why in left if found else ():
        draft.keep(node, why)
    return found


def about(act: Node, template: str) -> Iterator[Node]:
    """The observations that a concern is about: those of the template, and of other guides' those that are its subject
    (SUBJ) and no status.
    """
    for relation in act.all("entryRelationship"):
        for one in relation.all("observation"):
            ours = any(root.startswith(CCDA) for root in one.templates)
            subject = relation.get("typeCode") == "SUBJ" and _code(one) != _STATUS
            if template in one.templates or (not ours and subject):
                yield one


def notes(draft: Draft, node: Node) -> list[Json]:
    """Comment activities, as Annotations."""
    return [
        made(
            {
                "authorReference": practitioner(draft, one.one("author", "assignedAuthor")),
                "time": moment(one.one("author", "time")),
                "text": text,
            }
        )
        for one in related(node, "act")
        if _code(one) == _COMMENT and (text := draft.narrative.of(one.one("text")))
    ]


def reasons(draft: Draft, node: Node) -> list[Json]:
    """Indications: the values of observations that are the reason (RSON)."""
    return [
        one
        for each in related(node, "observation", "RSON")
        if not each.negated and (one := concept(each.one("value"), draft.narrative, null=False))
    ]


def status_of(node: Node, table: Mapping[str, str]) -> str | None:
    """The statusCode by one of the maps' tables."""
    code = node.one("statusCode")
    return None if code is None else table.get((code.get("code") or "").lower())


def value_in(node: Node | None, table: Mapping[str, str], narrative_of: Draft) -> str | None:
    """The value of an observation by one of the maps' tables; of its translations the first that is listed."""
    if node is None:
        return None
    value = node.one("value")
    found = concept(value, narrative_of.narrative) or {}
    codes = found.get("coding")
    for one in codes if isinstance(codes, list) else ():
        if one.get("code") in table:
            return table[one["code"]]
    return None


def fixed_or_none(system: str, code: str | None) -> Json | None:
    """A CodeableConcept of a code; None for none."""
    return None if code is None else fixed(system, code)


def _code(node: Node) -> str | None:
    code = node.one("code")
    return None if code is None else code.get("code")
