"""Medication activities: MedicationRequest; what was handed out: MedicationDispense (CF-medications)."""

from __future__ import annotations

import math

import msgspec

from transforms.decode.ccda.datatypes import (
    Json,
    concept,
    earliest,
    identifiers,
    made,
    moment,
    number,
    period,
    quantity,
    says,
)
from transforms.decode.ccda.draft import Draft, Kept
from transforms.decode.ccda.maps.parts import notes, read_all, reasons, related, status_of
from transforms.decode.ccda.maps.people import authors, last_author, performing
from transforms.decode.ccda.node import Node

_SIG = "76662-6"  # LOINC: instructions for medication
_INSTRUCTION = "2.16.840.1.113883.10.20.22.4.20"
_INTENT = {"EVN": "plan", "INT": "order"}  # ConceptMap CF-MedActivityMood
_PLANNED = ("RQO", "PRMS", "PRP", "APT", "ARQ")
_STATUS = {  # ConceptMap CF-MedicationStatus
    "active": "active",
    "suspended": "on-hold",
    "aborted": "stopped",
    "completed": "completed",
    "nullified": "entered-in-error",
}
_DISPENSED = {"active": "in-progress", "completed": "completed", "aborted": "stopped", "cancelled": "cancelled"}
_UNITS = frozenset(("s", "min", "h", "d", "wk", "mo", "a"))  # FHIR R4 units-of-time, which are UCUM's
_MINUTES = {"min": 1, "h": 60, "d": 1440}


def medication(draft: Draft, node: Node) -> bool:
    """A Medication Activity, or a planned one."""
    return request(draft, node) is not None


def request(draft: Draft, node: Node) -> str | None:
    """The reference to the MedicationRequest of an activity; None when it is not said of what."""
    material = _material(node)
    code = concept(material.one("code"), draft.narrative) if material is not None else None
    if material is not None and not says(material.one("code"), draft.narrative):
        name = material.one("name")
        code = {"text": name.text} if name is not None and name.text else None
    if node.null or code is None:
        draft.why = Kept.NONE_KNOWN if node.negated else Kept.NULL
        return None
    by = authors(node)
    mood = node.get("moodCode") or "EVN"
    fields: Json = {
        "identifier": identifiers(node),
        "status": status_of(node, _STATUS),
        "intent": "plan" if mood in _PLANNED else _INTENT.get(mood, "plan"),
        "doNotPerform": True if node.negated else None,
        "medicationCodeableConcept": code,
        "subject": draft.subject(),
        "authoredOn": earliest(by),
        "requester": last_author(draft, by),
        "reasonCode": reasons(draft, node),
        "note": notes(draft, node),
        "dosageInstruction": [one] if (one := _dosage(draft, node)) else None,
        "dispenseRequest": _supply(draft, node),
    }
    reference = draft.add("MedicationRequest", node, fields)
    for supply in related(node, "supply"):
        dispense(draft, supply, code)
    return reference


def wrapped(draft: Draft, act: Node) -> bool:
    """An act around medication activities: admission and discharge medication."""
    return bool(read_all(draft, related(act, "substanceAdministration"), lambda one: request(draft, one)))


def dispense(draft: Draft, node: Node, of: Json | None = None) -> bool:
    """A Medication Dispense: what was handed out."""
    if node.get("moodCode") != "EVN" or node.null or node.negated:
        return False
    material = _material(node, "product")
    code = concept(material.one("code"), draft.narrative, null=False) if material is not None else of
    code = code or of
    if code is None:
        draft.why = Kept.NULL
        return False
    fields: Json = {
        "identifier": identifiers(node),
        "status": status_of(node, _DISPENSED),
        "medicationCodeableConcept": code,
        "subject": draft.subject(),
        "performer": performing(draft, node),
        "quantity": quantity(node.one("quantity"), draft.narrative),
        "whenHandedOver": moment(node.one("effectiveTime")),
    }
    draft.add("MedicationDispense", node, fields)
    return True


def _material(node: Node, product: str = "consumable") -> Node | None:
    return node.one(product, "manufacturedProduct", "manufacturedMaterial")


def _supply(draft: Draft, node: Node) -> Json | None:
    """The first supply order; CDA counts all dispenses, FHIR those after the first."""
    for supply in related(node, "supply"):
        if supply.get("moodCode") == "INT":
            times = number(one.get("value") if (one := supply.one("repeatNumber")) is not None else None)
            repeats = int(bytes(times)) - 1 if times is not None and bytes(times).isdigit() else None
            fields: Json = {
                "validityPeriod": period(supply.one("effectiveTime")),
                "numberOfRepeatsAllowed": _raw(repeats) if repeats is not None and repeats >= 0 else None,
                "quantity": quantity(supply.one("quantity"), draft.narrative),
            }
            return made(fields) or None
    return None


def _dosage(draft: Draft, node: Node) -> Json | None:
    sig = next((one for one in related(node, "substanceAdministration") if _coded(one, _SIG)), None)
    text = draft.narrative.of(sig.one("text")) if sig is not None else draft.narrative.of(node.one("text"))
    told = [
        words
        for one in related(node, "act")
        if _INSTRUCTION in one.templates and (words := draft.narrative.of(one.one("text")))
    ]
    dose, rate = node.one("doseQuantity"), node.one("rateQuantity")
    most = node.one("maxDoseQuantity")
    fields: Json = {
        "text": text,
        "patientInstruction": "\n".join(told),
        "timing": _timing(draft, node),
        "asNeededBoolean": True if node.one("precondition") is not None else None,
        "site": concept(node.one("approachSiteCode"), draft.narrative),
        "route": concept(node.one("routeCode"), draft.narrative),
        "doseAndRate": [one]
        if (one := made({**_amount(draft, dose, "dose"), **_amount(draft, rate, "rate")}))
        else None,
    }
    if most is not None and most.one("numerator") is not None:
        parts = {side: quantity(most.one(side), draft.narrative) for side in ("numerator", "denominator")}
        fields["maxDosePerPeriod"] = made(parts)
    return made(fields) or None


def _amount(draft: Draft, node: Node | None, name: str) -> Json:
    if node is None:
        return {}
    whole = quantity(node, draft.narrative)
    if whole:
        return {f"{name}Quantity": whole}
    bounds = made({side: quantity(node.one(side), draft.narrative) for side in ("low", "high")})
    return {f"{name}Range": bounds} if bounds else {}


def _timing(draft: Draft, node: Node) -> Json | None:
    """The first effectiveTime is when, those with operator A how often."""
    event, repeat = None, Json()
    for time in node.all("effectiveTime"):
        kind = time.get("xsi:type")
        if kind == "PIVL_TS" or time.one("period") is not None:
            repeat |= _periodic(time)
        elif kind == "EIVL_TS" or time.one("event") is not None:
            repeat |= _at_event(draft, time)
        elif moment(time) is not None:
            event = [moment(time)]
        elif bounds := period(time):
            repeat["boundsPeriod"] = bounds
    return made({"event": event, "repeat": repeat}) or None


def _periodic(time: Node) -> Json:
    """Every so often; a range of periods has its longest as periodMax."""
    told = time.one("period")
    if told is None:
        return {}
    low, high = told.one("low"), told.one("high")
    first = told if told.get("value") else low
    if first is None or first.get("unit") not in _UNITS:
        return {}
    length = number(first.get("value"))
    if length is None or not float(bytes(length)) > 0:
        return {}
    longest = number(high.get("value")) if high is not None else None
    return made({"frequency": _raw(1), "period": length, "periodMax": longest, "periodUnit": first.get("unit")})


def _at_event(draft: Draft, time: Node) -> Json:
    event = time.one("event")
    code = event.get("code") if event is not None else None
    offset = time.one("offset")
    told = None if offset is None else quantity(offset, draft.narrative) or quantity(offset.one("low"), draft.narrative)
    minutes = None
    if told is not None and told.get("unit") in _MINUTES:
        raw = told["value"]
        assert isinstance(raw, msgspec.Raw)
        minutes = float(bytes(raw)) * _MINUTES[str(told["unit"])]
    whole = minutes is not None and math.isfinite(minutes) and minutes >= 0
    return made({"when": [code] if code else None, "offset": _raw(round(minutes or 0)) if whole and code else None})


def _coded(node: Node, code: str) -> bool:
    told = node.one("code")
    return told is not None and told.get("code") == code


def _raw(value: int) -> msgspec.Raw:
    return msgspec.Raw(str(value).encode())
