"""Datatypes of CDA (HL7 v3 data types R1) as those of FHIR, as plain JSON values. Times stay the text of a TS."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping

import msgspec

from schemas.code_systems import canonical
from transforms.decode.ccda.narrative import Narrative
from transforms.decode.ccda.node import Node

Json = dict[str, object]

NULL_FLAVOR = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"
UCUM = "http://unitsofmeasure.org"
DATA_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
ABSENT_EXTENSION = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
# C-CDA on FHIR, ConceptMap CF-NullFlavorDataAbsentReason
ABSENT_REASONS = {
    "NI": "unknown",
    "OTH": "unsupported",
    "NINF": "negative-infinity",
    "PINF": "positive-infinity",
    "MSK": "masked",
    "NA": "not-applicable",
    "UNK": "unknown",
    "ASKU": "asked-unknown",
    "NAV": "temp-unknown",
    "NASK": "not-asked",
    "TRC": "unsupported",
    "NP": "unknown",
}
# C-CDA on FHIR, ConceptMaps CF-AddressUse, CF-NameUse, CF-TelecomUse, CF-TelecomType
_ADDRESS_USE = {"BAD": "old", "H": "home", "HP": "home", "HV": "home", "TMP": "temp", "WP": "work"}
_ADDRESS_USE |= {"DIR": "work", "PUB": "work"}
_NAME_USE = {"A": "nickname", "C": "official", "L": "usual", "P": "nickname"}
_TELECOM_USE = {"BAD": "old", "H": "home", "HP": "home", "HV": "home", "TMP": "temp", "WP": "work", "DIR": "work"}
_TELECOM_USE |= {"PUB": "work", "MC": "mobile"}
_TELECOM_SYSTEM = {"tel": "phone", "fax": "fax", "mailto": "email", "sms": "sms", "http": "url", "https": "url"}
# FHIR R4 namingsystem-registry: identifiers that have a URI of their own
_IDENTIFIER_SYSTEMS = {
    "2.16.840.1.113883.4.6": "http://hl7.org/fhir/sid/us-npi",
    "2.16.840.1.113883.4.1": "http://hl7.org/fhir/sid/us-ssn",
    "2.16.840.1.113883.4.572": "http://hl7.org/fhir/sid/us-medicare",
}
_URI = "urn:ietf:rfc:3986"
_NUMBER = re.compile(r"([-+]?)0*(\d*)(?:\.(\d*))?(?:[eE]([-+]?\d{1,3}))?")
_ROOTS = 4096  # of identifiers that are remembered
_UUID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
_OID = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*))+")
_ISO = re.compile(r"(\d{4})-(\d{2})(?:-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?(Z|[-+]\d{2}:?\d{2})?)?)?")
_FRACTION = re.compile(r"(\.[0-9]{4})[0-9]+")  # HL7 v2 and v3 alike give seconds four digits at most


def made(fields: Mapping[str, object]) -> Json:
    """The fields that say something."""
    return {name: value for name, value in fields.items() if value or value is False}


def number(text: str | None) -> msgspec.Raw | None:
    """A decimal as JSON, its digits as sent; None when it is none."""
    found = None if text is None else _NUMBER.fullmatch(text.strip())
    if found is None or not (found[2] or found[3] or "0" in found[0]):
        return None
    sign = "-" if found[1] == "-" else ""
    fraction = f".{found[3]}" if found[3] else ""
    power = f"e{found[4]}" if found[4] else ""
    return msgspec.Raw(f"{sign}{found[2] or '0'}{fraction}{power}".encode())


def moment(node: Node | None) -> str | None:
    """The value of a TS, but for digits of a second's fraction beyond the fourth.

    A date or time in the form of ISO 8601 (``2020-01-31T10:00Z``), which some senders write, is read as the same TS.
    """
    value = None if node is None else node.get("value")
    if value is None:
        return None
    value = value.strip()
    if "-" in value[:5] and (iso := _ISO.fullmatch(value)):
        offset = "+0000" if iso[7] == "Z" else (iso[7] or "").replace(":", "")
        value = "".join(part or "" for part in iso.groups()[:6]) + offset
    return _FRACTION.sub(r"\1", value) if "." in value else value


def period(node: Node | None) -> Json | None:
    """The bounds of an IVL_TS; of one with a centre and no bounds, nothing."""
    if node is None:
        return None
    return made({"start": moment(node.one("low")), "end": moment(node.one("high"))}) or None


def timing(node: Node | None, element: str, *, single: bool = False) -> Json:
    """``<element>DateTime`` or ``<element>Period`` of an IVL_TS or TS; ``single``: a DateTime, the first that is told.

    Bounds that are alike are one time, and so is a centre.
    """
    if node is None:
        return {}
    point = moment(node) or moment(node.one("center"))
    bounds = period(node) or {}
    start, end = bounds.get("start"), bounds.get("end")
    if point is None and (single or (start is not None and start == end)):
        point = str(start or end) if start or end else None
    if point is not None:
        return {f"{element}DateTime": point}
    return {f"{element}Period": bounds} if bounds else {}


def earliest(nodes: Iterable[Node]) -> str | None:
    """The smallest text of the times of authors."""
    return min((at for one in nodes if (at := moment(one.one("time")))), default=None)


def coding(node: Node) -> Json | None:
    """The code of a CD without its translations; None when it has none."""
    code = (node.get("code") or "").strip()  # a code has no white space around it (FHIR R4 2.24.0.1)
    if not code:
        return None
    system = node.get("codeSystem")
    return made(
        {
            "system": canonical(system) if system else None,
            "version": node.get("codeSystemVersion"),
            "code": code,
            "display": node.get("displayName"),
        }
    )


def codings(node: Node) -> list[Json]:
    """The code of a CD and those of its translations, each once."""
    found: list[Json] = []
    for one in (node, *node.all("translation")):
        code = coding(one)
        if code is not None and code not in found:
            found.append(code)
    return found


def concept(node: Node | None, narrative: Narrative, *, null: bool = True) -> Json | None:
    """A CD, CE, CV, CO or CS as a CodeableConcept; None when it says nothing.

    Without a code its translations stand for it (nullFlavor OTH). When there is neither, its nullFlavor is the code
    (``null``), so that the reason is kept.
    """
    if node is None:
        return None
    found = codings(node)
    text = narrative.of(node.one("originalText"))
    if not found:
        text = text or node.get("displayName")
        if null and node.null:
            found = [{"system": NULL_FLAVOR, "code": node.null}]
    return made({"coding": found, "text": text}) or None


def says(node: Node | None, narrative: Narrative) -> bool:
    """Whether a CD has a code, a translation or a text."""
    return node is not None and concept(node, narrative, null=False) is not None


def fixed(system: str, code: str, display: str | None = None) -> Json:
    """A CodeableConcept of one code."""
    return {"coding": [made({"system": system, "code": code, "display": display})]}


def quantity(node: Node | None, narrative: Narrative) -> Json | None:
    """A PQ, REAL or INT; of a PQ without a value, its first translation that has one."""
    if node is None:
        return None
    value = number(node.get("value"))
    if value is None:
        return next((one for each in node.all("translation") if (one := _translated(each, narrative))), None)
    unit = node.get("unit")
    return made({"value": value, "unit": unit, "system": UCUM if unit else None, "code": unit})


def _translated(node: Node, narrative: Narrative) -> Json | None:
    """A PQR: a value in a unit of another system than UCUM."""
    value, system, code = number(node.get("value")), node.get("codeSystem"), node.get("code")
    if value is None:
        return None
    unit = narrative.of(node.one("originalText")) or node.get("displayName") or node.get("unit") or code
    told = {"value": value, "unit": unit}
    return made(told | {"system": canonical(system), "code": code} if system and code else told)


def range_of(node: Node, narrative: Narrative) -> Json:
    """The bounds of an IVL_PQ, without comparators."""
    return made({"low": quantity(node.one("low"), narrative), "high": quantity(node.one("high"), narrative)})


def bounded(node: Node, narrative: Narrative) -> Json:
    """An IVL_PQ as ``valueRange``; with one bound only as ``valueQuantity`` with a comparator; with a value as that."""
    whole = quantity(node, narrative) or quantity(node.one("center"), narrative)
    if whole is not None:
        return {"valueQuantity": whole}
    bounds = range_of(node, narrative)
    if len(bounds) == 1:
        (side, value), *_ = bounds.items()
        bound = node.one(side)
        closed = bound is None or bound.get("inclusive") != "false"
        sign = (">" if side == "low" else "<") + ("=" if closed else "")
        return {"valueQuantity": {"comparator": sign, **value}}  # type: ignore[dict-item]
    return {"valueRange": bounds} if bounds else {}


def identifier(node: Node) -> Json | None:
    """An II; a root without extension is the identifier itself."""
    root, extension = node.get("root"), node.get("extension")
    if node.null or not root:
        return None
    uri = _uri(root)
    if extension is None:
        return {"system": _URI, "value": uri}
    return made(
        {
            "system": _IDENTIFIER_SYSTEMS.get(root, uri),
            "value": extension,
            "assigner": made({"display": node.get("assigningAuthorityName")}),
        }
    )


@functools.lru_cache(_ROOTS)
def _uri(root: str) -> str:
    """The URI of an OID or UUID."""
    if _UUID.fullmatch(root):
        return f"urn:uuid:{root.lower()}"
    return f"urn:oid:{root}" if _OID.fullmatch(root) else root


def identifiers(node: Node) -> list[Json]:
    """The ids of an element."""
    return [made_ for one in node.all("id") if (made_ := identifier(one))]


def address(node: Node) -> Json | None:
    """An AD."""
    if node.null:
        return None
    lines = [one.text for name in ("streetAddressLine", "additionalLocator") for one in node.all(name) if one.text]
    parts = {
        "use": _ADDRESS_USE.get(_first_use(node)),
        "line": lines,
        "city": _text(node, "city"),
        "district": _text(node, "county"),
        "state": _text(node, "state"),
        "postalCode": _text(node, "postalCode"),
        "country": _text(node, "country"),
        "period": period(node.one("useablePeriod")),
    }
    found = made(parts)
    if not found.keys() - {"use", "period"}:
        return made({"use": found.get("use"), "text": node.text}) if node.text else None
    return found


def telecom(node: Node) -> Json | None:
    """A TEL; a value without a scheme is a phone."""
    value = node.get("value")
    if node.null or value is None:
        return None
    scheme, colon, rest = value.partition(":")
    system = _TELECOM_SYSTEM.get(scheme.lower()) if colon else "phone"
    kept = value if system in (None, "url") or not colon else rest.strip()
    return made({"system": system or "other", "value": kept, "use": _TELECOM_USE.get(_first_use(node))})


def human_name(node: Node) -> Json | None:
    """A PN."""
    if node.null:
        return None
    family, given = (" ".join(t for one in node.all("family") if (t := one.text)), [])
    given = [one.text for one in node.all("given") if one.text]
    found = made(
        {
            "use": _NAME_USE.get(_first_use(node)),
            "family": family,
            "given": given,
            "prefix": [one.text for one in node.all("prefix") if one.text],
            "suffix": [one.text for one in node.all("suffix") if one.text],
            "period": period(node.one("validTime")),
        }
    )
    if not (family or given):
        return made({**found, "text": node.text}) if node.text else None
    return found


def listed(nodes: Iterable[Node], datatype: Callable[[Node], Json | None]) -> list[Json]:
    """What a datatype makes of several elements."""
    return [one for node in nodes if (one := datatype(node))]


def _text(node: Node, name: str) -> str | None:
    found = node.one(name)
    return found.text if found is not None and found.text else None


def _first_use(node: Node) -> str:
    return (node.get("use") or "").split(" ")[0]
