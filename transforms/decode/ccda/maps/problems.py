"""Problems and diagnoses: Condition (CF-problems)."""

from __future__ import annotations

from transforms.decode.ccda.datatypes import (
    Json,
    concept,
    earliest,
    fixed,
    identifiers,
    made,
    moment,
    quantity,
    says,
)
from transforms.decode.ccda.draft import Draft, Kept
from transforms.decode.ccda.maps.parts import about, coded, fixed_or_none, notes, read_all, related, status_of, value_in
from transforms.decode.ccda.maps.people import authors, last_author
from transforms.decode.ccda.node import Node

_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
_US_CATEGORY = "http://hl7.org/fhir/us/core/CodeSystem/condition-category"
_ASSERTED = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate"
_STATUS_CODE, _AGE_CODE, _DIAGNOSED = "33999-4", "445518008", "77975-1"
_PROBLEM = "2.16.840.1.113883.10.20.22.4.4"
# ConceptMaps CF-ProblemStatus (SNOMED CT) and CF-ConditionClinicalStatus (ActStatus)
_STATUS = {
    "246455001": "recurrence",
    "263855007": "relapse",
    "277022003": "remission",
    "413322009": "resolved",
    "55561003": "active",
    "73425007": "inactive",
}
_CONCERN = {"aborted": "inactive", "active": "active", "completed": "inactive", "suspended": "inactive"}
_OPEN = ("active", "recurrence", "relapse")
_CATEGORIES = {  # ConceptMap CF-ProblemCategory, by the section's LOINC code
    "46240-8": (_CATEGORY, "encounter-diagnosis"),
    "11450-4": (_CATEGORY, "problem-list-item"),
    "75310-3": (_US_CATEGORY, "health-concern"),
} | dict.fromkeys(  # sections of diagnoses, which that map leaves out: discharge, admission, before and after surgery
    ("11535-2", "46241-6", "10219-4", "10218-6", "59769-0"), (_CATEGORY, "encounter-diagnosis")
)
# SNOMED CT: codes that say that no problem is known, and those for a problem of any kind, which say so when negated.
_NONE_KNOWN = frozenset(("160245001", "787481004", "160244002", "443508001", "416128008"))
_ANY = frozenset(("55607006", "64572001", "404684003", "282291009", "418799008"))


def concern(draft: Draft, act: Node) -> bool:
    """A Problem Concern Act (or one of diagnosis): a Condition of each problem observation in it."""
    return bool(diagnoses(draft, act, None))


def diagnoses(draft: Draft, act: Node, category: str | None) -> list[str]:
    """References to the Conditions of an act."""
    return read_all(draft, about(act, _PROBLEM), lambda one: condition(draft, one, act, category))


def problem(draft: Draft, node: Node) -> bool:
    """A problem observation that stands alone."""
    return condition(draft, node, None, None) is not None


def condition(draft: Draft, node: Node, act: Node | None, category: str | None) -> str | None:
    """The reference to the Condition of a problem observation; None when it is not said what the problem is."""
    value = node.one("value")
    code = concept(value, draft.narrative)
    if node.null or code is None or not says(value, draft.narrative):
        draft.why = Kept.NONE_KNOWN if node.negated and not node.null else Kept.NULL
        return None
    codes = {one["code"] for one in code.get("coding", ())}  # type: ignore[attr-defined]
    if codes & _NONE_KNOWN or (node.negated and codes & _ANY):
        draft.why = Kept.NONE_KNOWN
        return None
    by = authors(node, act)
    fields: Json = {
        "identifier": identifiers(node),
        "verificationStatus": fixed(_VERIFICATION, "refuted") if node.negated else None,
        "category": [_category(draft, category)],
        "code": code,
        "subject": draft.subject(),
        "recordedDate": earliest(by),
        "recorder": last_author(draft, by),
        "note": notes(draft, node) + (notes(draft, act) if act is not None else []),
    }
    fields |= _course(draft, node, act)
    return draft.add("Condition", node, fields)


def _category(draft: Draft, category: str | None) -> Json:
    system, code = _CATEGORIES.get(draft.section.code or "", (_CATEGORY, "problem-list-item"))
    return fixed(_CATEGORY, category) if category else fixed(system, code)


def _course(draft: Draft, node: Node, act: Node | None) -> Json:
    """Begin, end and clinical status. An end, even an unknown one, means that it is over (the map's own rule)."""
    time = node.one("effectiveTime")
    high = None if time is None else time.one("high")
    onset = None if time is None else moment(time.one("low")) or moment(time)
    over = moment(high)
    ended = over is not None or (high is not None and high.null == "UNK")
    status = value_in(coded(node, _STATUS_CODE), _STATUS, draft)
    if status is None and act is not None:
        status = status_of(act, _CONCERN)
    if ended and (status is None or status in _OPEN):
        status = "inactive" if status else "resolved"
    fields: Json = {"clinicalStatus": fixed_or_none(_CLINICAL, status), "onsetDateTime": onset}
    if over is not None:
        fields["abatementDateTime"] = over
    age = coded(node, _AGE_CODE)
    years = None if age is None else quantity(age.one("value"), draft.narrative)
    if onset is None and years is not None:
        fields["onsetAge"] = years
    diagnosed = next((one for one in related(node, "act") if _is(one, _DIAGNOSED)), None)
    if diagnosed is not None and (at := moment(diagnosed.one("effectiveTime"))):
        fields["extension"] = [{"url": _ASSERTED, "valueDateTime": at}]
    return made(fields)


def _is(node: Node, code: str) -> bool:
    told = node.one("code")
    return told is not None and told.get("code") == code
