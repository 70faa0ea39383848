"""Allergies and intolerances: AllergyIntolerance (CF-allergies)."""

from __future__ import annotations

from transforms.decode.ccda.datatypes import (
    Json,
    codings,
    concept,
    earliest,
    fixed,
    identifiers,
    made,
    moment,
    says,
)
from transforms.decode.ccda.draft import Draft, Kept
from transforms.decode.ccda.maps.parts import about, coded, fixed_or_none, notes, read_all, related, status_of, value_in
from transforms.decode.ccda.maps.people import authors, last_author
from transforms.decode.ccda.node import Node

_CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
_ABATED = "http://hl7.org/fhir/StructureDefinition/allergyintolerance-abatement"
_SNOMED = "http://snomed.info/sct"
_STATUS_CODE, _CRITICALITY_CODE, _SEVERITY_CODE = "33999-4", "82606-5", "SEV"
_ALLERGY = "2.16.840.1.113883.10.20.22.4.7"
_SEVERITY_TEMPLATE = "2.16.840.1.113883.10.20.22.4.8"
# ConceptMaps CF-AllergyStatus, CF-Criticality, CF-Severity, CF-AllergyIntoleranceCategory, CF-AllergyIntoleranceType,
# CF-NoKnownAllergies
_STATUS = {"413322009": "resolved", "73425007": "inactive", "55561003": "active"}
_CONCERN = {"active": "active", "completed": "inactive", "aborted": "inactive", "suspended": "inactive"}
_CRITICALITY = {"CRITH": "high", "CRITL": "low", "CRITU": "unable-to-assess"}
_SEVERITY = {"255604002": "mild", "6736007": "moderate", "24484000": "severe"}
_CATEGORY = {
    "235719002": "food",
    "414285001": "food",
    "418471000": "food",
    "416098002": "medication",
    "419511003": "medication",
    "59037007": "medication",
}
_TYPE = {
    "235719002": "intolerance",
    "414285001": "allergy",
    "416098002": "allergy",
    "419199007": "allergy",
    "59037007": "intolerance",
}
_NONE_KNOWN = {
    "414285001": ("429625007", "No known food allergy"),
    "416098002": ("409137002", "No known drug allergy"),
    "419199007": ("716186003", "No known allergy"),
    "235719002": ("429625007", "No known food allergy"),  # intolerance: no concept of its own
    "418038007": ("716186003", "No known allergy"),
    "418471000": ("429625007", "No known food allergy"),
    "419511003": ("409137002", "No known drug allergy"),
    "420134006": ("716186003", "No known allergy"),
    "59037007": ("409137002", "No known drug allergy"),
}
# SNOMED CT: agents that stand for all of their kind (substance; drug; food, edible substance), and the allergy meant.
_ANY_AGENT = {
    "105590001": "419199007",
    "410942007": "416098002",
    "255620007": "414285001",
    "762766007": "414285001",
}


def concern(draft: Draft, act: Node) -> bool:
    """An Allergy Concern Act: an AllergyIntolerance of each observation in it."""
    return bool(read_all(draft, about(act, _ALLERGY), lambda one: _allergy(draft, one, act)))


def allergy(draft: Draft, node: Node) -> bool:
    """An allergy observation that stands alone."""
    return _allergy(draft, node, None) is not None


def _allergy(draft: Draft, node: Node, act: Node | None) -> str | None:
    """The reference to an AllergyIntolerance; None when it is not said to what."""
    value = node.one("value")
    agents = [
        agent for one in node.all("participant") if (agent := one.one("participantRole", "playingEntity")) is not None
    ]
    agent = agents[0].one("code") if agents else None
    if node.null:
        draft.why = Kept.NULL
        return None
    kinds = [str(one["code"]) for one in codings(value)] if value is not None else []
    code, refuted = concept(agent, draft.narrative), False
    every = _ANY_AGENT.get((agent.get("code") if agent is not None else None) or "")
    if every is not None and node.negated:
        narrower = [kind for kind in kinds if every == "419199007" and kind in _NONE_KNOWN]
        code = fixed(_SNOMED, *_NONE_KNOWN[narrower[0] if narrower else every])
    elif not says(agent, draft.narrative):
        code = _named(agents)
        if node.negated:
            none = next((_NONE_KNOWN[kind] for kind in kinds if kind in _NONE_KNOWN), None)
            if none is None:
                draft.why = Kept.NONE_KNOWN
                return None
            code = fixed(_SNOMED, *none)
        elif code is None:
            draft.why = Kept.NULL
            return None
    elif node.negated:
        refuted = True
    by = authors(node, act)
    time = node.one("effectiveTime")
    high = None if time is None else moment(time.one("high"))
    categories = list(dict.fromkeys(_CATEGORY[kind] for kind in kinds if kind in _CATEGORY))
    fields: Json = {
        "identifier": identifiers(node),
        "clinicalStatus": None if refuted else fixed_or_none(_CLINICAL, _status(draft, node, act)),
        "verificationStatus": fixed(_VERIFICATION, "refuted") if refuted else None,
        "type": next((_TYPE[kind] for kind in kinds if kind in _TYPE), None),
        "category": categories,
        "criticality": value_in(coded(node, _CRITICALITY_CODE), _CRITICALITY, draft),
        "code": code,
        "patient": draft.subject(),
        "onsetDateTime": None if time is None else moment(time.one("low")) or moment(time),
        "recordedDate": earliest(by),
        "recorder": last_author(draft, by),
        "note": notes(draft, node) + (notes(draft, act) if act is not None else []),
        "reaction": [] if node.negated else _reactions(draft, node),
        "extension": [{"url": _ABATED, "valueDateTime": high}] if high else None,
    }
    return draft.add("AllergyIntolerance", node, fields)


def _named(agents: list[Node]) -> Json | None:
    """What an agent without a code is called."""
    name = next((one.text for agent in agents for one in agent.all("name") if one.text), None)
    return None if name is None else {"text": name}


def _status(draft: Draft, node: Node, act: Node | None) -> str | None:
    told = value_in(coded(node, _STATUS_CODE), _STATUS, draft)
    return told or (status_of(act, _CONCERN) if act is not None else None)


def _severity(draft: Draft, node: Node) -> str | None:
    for one in related(node, "observation"):
        code = one.one("code")
        if _SEVERITY_TEMPLATE in one.templates or (code is not None and code.get("code") == _SEVERITY_CODE):
            return value_in(one, _SEVERITY, draft)
    return None


def _reactions(draft: Draft, node: Node) -> list[Json]:
    """Reaction observations; a severity of the allergy is that of reactions without one of their own."""
    overall = _severity(draft, node)
    found = []
    for one in related(node, "observation", "MFST"):
        shown = concept(one.one("value"), draft.narrative)
        told = draft.narrative.of(one.one("text"))
        if one.negated or (shown is None and told is None):
            continue
        time = one.one("effectiveTime")
        onset = None if time is None else moment(time) or moment(time.one("low"))
        found.append(
            made(
                {
                    "manifestation": [shown or {"text": told}],
                    "onset": onset,
                    "severity": _severity(draft, one) or overall,
                }
            )
        )
    return found
