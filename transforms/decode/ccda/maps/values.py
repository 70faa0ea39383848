"""`value` of observations by its `xsi:type`, and reference ranges."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from transforms.decode.ccda.datatypes import (
    Json,
    bounded,
    concept,
    made,
    moment,
    number,
    period,
    quantity,
    range_of,
)
from transforms.decode.ccda.draft import Draft
from transforms.decode.ccda.maps.attachments import attachment
from transforms.decode.ccda.node import Node
from transforms.decode.ccda.reading import CUT

_ATTACHMENT = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Observation.value"
_NORMAL = "N"  # interpretationCode of a range that is a reference range to FHIR


def value_of(draft: Draft, node: Node | None) -> Json:
    """``value[x]`` of a value, or the extension of an attachment; nothing when it says nothing."""
    if node is None:
        return {}
    found = _READERS.get(node.get("xsi:type") or _likely(node), _text)(draft, node)
    return found or (_concept(draft, node) if node.null == "OTH" else {})


def _likely(node: Node) -> str:
    """The type of a value that does not say it."""
    if node.get("code"):
        return "CD"
    if node.get("unit") or node.get("value"):
        return "PQ" if number(node.get("value")) is not None else "TS"
    return "IVL_PQ" if node.one("low") or node.one("high") else "ST"


def _quantity(draft: Draft, node: Node) -> Json:
    found = quantity(node, draft.narrative)
    if found:
        return {"valueQuantity": found}
    return _spoken(node.get("value") or draft.narrative.of(node.one("originalText")))


def _bounded(draft: Draft, node: Node) -> Json:
    return bounded(node, draft.narrative)


def _integer(_: Draft, node: Node) -> Json:
    found = number(node.get("value"))
    return (
        {}
        if found is None
        else {"valueInteger": found}
        if bytes(found).lstrip(b"-").isdigit()
        else {"valueQuantity": {"value": found}}
    )


def _concept(draft: Draft, node: Node) -> Json:
    # Only "unknown" is an answer (the map for pregnancy); every other nullFlavor is why there is none.
    found = concept(node, draft.narrative, null=False)
    return {} if found is None else {"valueCodeableConcept": found}


def _boolean(_: Draft, node: Node) -> Json:
    told = {"true": True, "false": False}.get(node.get("value") or "")
    return {} if told is None else {"valueBoolean": told}


def _time(_: Draft, node: Node) -> Json:
    at = moment(node)
    return {} if at is None else {"valueDateTime": at}


def _period(draft: Draft, node: Node) -> Json:
    bounds = period(node)
    return {"valuePeriod": bounds} if bounds else _time(draft, node)


def _ratio(draft: Draft, node: Node) -> Json:
    parts = {name: quantity(node.one(name), draft.narrative) for name in ("numerator", "denominator")}
    found = made(parts)
    return {"valueRatio": found} if found else {}


def _text(draft: Draft, node: Node) -> Json:
    return _spoken(draft.narrative.of(node))


def _encapsulated(draft: Draft, node: Node) -> Json:
    if node.get("representation") == "B64" or node.text.startswith(CUT):
        return {"extension": [{"url": _ATTACHMENT, "valueAttachment": attachment(node)}]}
    return _text(draft, node)


def _spoken(text: str | None) -> Json:
    return {"valueString": text} if text else {}


_READERS: Mapping[str, Callable[[Draft, Node], Json]] = {
    "PQ": _quantity,
    "REAL": _quantity,
    "MO": _quantity,
    "INT": _integer,
    "IVL_PQ": _bounded,
    "IVL_INT": _bounded,
    "IVL_REAL": _bounded,
    "BL": _boolean,
    "TS": _time,
    "IVL_TS": _period,
    "RTO": _ratio,
    "RTO_PQ_PQ": _ratio,
    "RTO_QTY_QTY": _ratio,
    "ED": _encapsulated,
    "ST": _text,
} | dict.fromkeys(("CD", "CE", "CV", "CO", "CS", "SC"), _concept)


def reference_ranges(draft: Draft, node: Node) -> list[Json]:
    """The ranges that are normal ones: when several are told, those whose interpretation says so."""
    told = [one for each in node.all("referenceRange") for one in each.all("observationRange")]
    found = []
    for one in told:
        meant = one.one("interpretationCode")
        if meant is not None and meant.get("code") not in (None, _NORMAL):
            continue
        value = one.one("value")
        fields: Json = {"text": draft.narrative.of(one.one("text"))}
        if value is not None and (value.one("low") or value.one("high")):
            fields |= range_of(value, draft.narrative)
        elif value is not None and not fields["text"]:
            fields["text"] = draft.narrative.of(value)
        if kept := made(fields):
            found.append(kept)
    return found
