"""Results, vital signs, social history and other findings: Observation and DiagnosticReport (CF-results, CF-vitals,
CF-social).
"""

from __future__ import annotations

from collections.abc import Sequence

from transforms.decode.ccda.datatypes import (
    ABSENT_REASONS,
    DATA_ABSENT,
    Json,
    concept,
    fixed,
    identifiers,
    made,
    moment,
    says,
    timing,
)
from transforms.decode.ccda.draft import Draft, Kept
from transforms.decode.ccda.maps.parts import CCDA, coded, notes, read_all, related, status_of
from transforms.decode.ccda.maps.people import authors, performers, practitioner
from transforms.decode.ccda.maps.specimens import specimens
from transforms.decode.ccda.maps.values import reference_ranges, value_of
from transforms.decode.ccda.node import Node

LABORATORY, VITALS, SOCIAL, SURVEY, EXAM = "laboratory", "vital-signs", "social-history", "survey", "exam"
PROCEDURE = "procedure"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_DISPLAYS = {
    LABORATORY: "Laboratory",
    VITALS: "Vital Signs",
    SOCIAL: "Social History",
    SURVEY: "Survey",
    EXAM: "Exam",
    PROCEDURE: "Procedure",
}
_SECTION = "http://terminology.hl7.org/CodeSystem/v2-0074"
_LOINC = "http://loinc.org"
_PANEL = ("85353-1", "Vital signs, weight, height, head circumference, oxygen saturation and BMI panel")
_PREGNANCY = "2.16.840.1.113883.10.20.15.3.8"
_INTENTION = "2.16.840.1.113883.10.20.22.4.281"  # of pregnancy: its mood is a wish, and it is one that was told
_ASSESSMENTS = frozenset((f"{CCDA}69", f"{CCDA}138"))
_PREGNANCY_CODE = ("82810-3", "Pregnancy status")
_DELIVERY_CODE = "11778-8"
# ConceptMaps CF-ResultStatus and CF-ResultReportStatus, which are alike
_STATUS = {
    "aborted": "cancelled",
    "active": "registered",
    "cancelled": "cancelled",
    "completed": "final",
    "held": "registered",
    "suspended": "registered",
    "nullified": "entered-in-error",
}


def observation(draft: Draft, node: Node, category: str | None) -> str | None:
    """The reference to the Observation of an observation that was made; None when it is none: it was not made (its mood
    is a wish), it is negated, null, or not said what it is about.
    """
    code = _code(draft, node)
    if node.null or code is None:
        draft.why = Kept.NULL
        return None
    if node.negated:
        draft.why = Kept.NEGATED
        return None
    if node.get("moodCode") not in (None, "EVN") and _INTENTION not in node.templates:
        draft.why = Kept.UNMAPPED
        return None
    fields: Json = {
        "identifier": identifiers(node),
        "status": status_of(node, _STATUS),
        "category": [_category(category)] if category else None,
        "code": code,
        "subject": draft.subject(),
        "performer": performers(draft, node) or _by(draft, node),
        "interpretation": [one for each in node.all("interpretationCode") if (one := concept(each, draft.narrative))],
        "note": notes(draft, node),
        "bodySite": concept(node.one("targetSiteCode"), draft.narrative),
        "method": concept(node.one("methodCode"), draft.narrative),
        "specimen": next(iter(specimens(draft, node)), None),
        "referenceRange": reference_ranges(draft, node),
    }
    fields |= timing(node.one("effectiveTime"), "effective", single=_PREGNANCY in node.templates)
    fields |= _value(draft, node)
    fields["component"] = _components(draft, node)
    fields["hasMember"] = [
        {"reference": member}
        for relation in ("COMP", "SPRT", "SUBJ")
        for one in related(node, "observation", relation)
        if _is_own(one, relation) and (member := observation(draft, one, category))
    ]
    draft.why = Kept.UNMAPPED
    return draft.add("Observation", node, fields, _first_code(code))


def _is_own(node: Node, relation: str) -> bool:
    """Whether a related observation is one of its own: it has a code that is not merely an assertion, and a value; as
    the subject (SUBJ) only assessments do not merely qualify the other.
    """
    if relation == "SUBJ" and not _ASSESSMENTS.intersection(node.templates):
        return False
    code = node.one("code")
    return code is not None and (code.get("code") or "ASSERTION") != "ASSERTION" and node.one("value") is not None


def result(draft: Draft, node: Node) -> bool:
    """A result that stands alone."""
    return observation(draft, node, LABORATORY) is not None


def vital_sign(draft: Draft, node: Node) -> bool:
    """A vital sign that stands alone."""
    return observation(draft, node, VITALS) is not None


def social_history(draft: Draft, node: Node) -> bool:
    """Social history: smoking, pregnancy, occupation."""
    return observation(draft, node, SOCIAL) is not None


def survey(draft: Draft, node: Node) -> bool:
    """An assessment."""
    return observation(draft, node, SURVEY) is not None


def finding(draft: Draft, node: Node) -> bool:
    """Functional, mental or other status."""
    return observation(draft, node, EXAM) is not None


def results(draft: Draft, organizer: Node) -> bool:
    """A Result Organizer: a DiagnosticReport and its Observations."""
    members = _members(draft, organizer, LABORATORY)
    code = concept(organizer.one("code"), draft.narrative)
    if not members or organizer.null or not says(organizer.one("code"), draft.narrative):
        return bool(members)
    fields: Json = {
        "identifier": identifiers(organizer),
        "status": status_of(organizer, _STATUS),
        "category": [fixed(_SECTION, "LAB", "Laboratory")],
        "code": code,
        "subject": draft.subject(),
        "performer": performers(draft, organizer) or _by(draft, organizer),
        "specimen": specimens(draft, organizer),
        "result": [{"reference": one} for one in members],
    }
    fields |= _times(organizer)
    draft.add("DiagnosticReport", organizer, fields)
    return True


def vital_signs(draft: Draft, organizer: Node) -> bool:
    """A Vital Signs Organizer: an Observation of the panel and those of its members."""
    members = _members(draft, organizer, VITALS)
    if not members or organizer.null:
        return bool(members)
    fields: Json = {
        "identifier": identifiers(organizer),
        "status": status_of(organizer, _STATUS),
        "category": [_category(VITALS)],
        "code": fixed(_LOINC, *_PANEL),
        "subject": draft.subject(),
        "hasMember": [{"reference": one} for one in members],
    }
    fields |= _times(organizer)
    draft.add("Observation", organizer, fields, _PANEL[0])
    return True


def findings(draft: Draft, organizer: Node) -> bool:
    """An organizer of functional or mental status: its Observations."""
    return bool(_members(draft, organizer, EXAM))


def _members(draft: Draft, organizer: Node, category: str) -> list[str]:
    if organizer.null or organizer.negated:
        draft.why = Kept.NULL if organizer.null else Kept.NEGATED
        return []
    components = organizer.all("component")
    nodes = [one for component in components for one in component.all("observation")]
    found = read_all(draft, nodes, lambda one: observation(draft, one, category))
    for component in components:
        for one in component.all("organizer"):
            found += _members(draft, one, category)
    return found


def _times(organizer: Node) -> Json:
    """The organizer's time, else the earliest and latest of its observations, as the map has it."""
    told = timing(organizer.one("effectiveTime"), "effective")
    if told:
        return told
    members = [one for component in organizer.all("component") for one in component.all("observation")]
    times = sorted(at for one in members if (at := moment(one.one("effectiveTime"))))
    if not times:
        return {}
    if times[0] == times[-1]:
        return {"effectiveDateTime": times[0]}
    return {"effectivePeriod": {"start": times[0], "end": times[-1]}}


def _code(draft: Draft, node: Node) -> Json | None:
    told = node.one("code")
    if _PREGNANCY in node.templates and told is not None and told.get("code") == "ASSERTION":
        return fixed(_LOINC, *_PREGNANCY_CODE)
    return concept(told, draft.narrative) if says(told, draft.narrative) else None


def _first_code(code: Json) -> str | None:
    codes = code.get("coding")
    return str(codes[0]["code"]) if isinstance(codes, list) and codes else None


def _value(draft: Draft, node: Node) -> Json:
    values = node.all("value")
    if not values:
        return {}
    found = value_of(draft, values[0])
    if found:
        return found
    null = values[0].null
    reason = ABSENT_REASONS.get(null or "")
    return {"dataAbsentReason": fixed(DATA_ABSENT, reason)} if reason else {}


def _components(draft: Draft, node: Node) -> list[Json]:
    """The estimated date of delivery of a pregnancy."""
    due = coded(node, _DELIVERY_CODE)
    value = None if due is None else value_of(draft, due.one("value"))
    if due is None or not value:
        return []
    return [made({"code": concept(due.one("code"), draft.narrative), **value})]


def _category(code: str) -> Json:
    return fixed(_CATEGORY, code, _DISPLAYS[code])


def _by(draft: Draft, node: Node) -> Sequence[Json]:
    found = [practitioner(draft, one.one("assignedAuthor")) for one in authors(node)]
    return [one for one in found if one]
