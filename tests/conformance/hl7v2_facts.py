"""What two FHIR renderings of one message can be compared by: facts of allow-listed elements, as texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

# Elements that say what was sent, by resource type; ids, references, narratives and extensions are each maker's own.
_INSTANT = re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[-+]\d\d:\d\d)$")
_ELEMENTS: dict[str, tuple[str, ...]] = {
    "Patient": ("identifier.value", "name.family", "name.given", "birthDate", "gender", "deceasedDateTime",
                "address.city", "address.postalCode", "telecom.value", "maritalStatus.coding.code"),
    "Encounter": ("identifier.value", "class.code", "status", "period.start", "period.end", "reasonCode.coding.code"),
    "Observation": ("code.coding.code", "status", "valueString", "valueQuantity.value", "valueQuantity.unit",
                    "valueQuantity.comparator", "valueCodeableConcept.coding.code", "valueDateTime", "valueTime",
                    "effectiveDateTime", "interpretation.coding.code", "referenceRange.text"),
    "DiagnosticReport": ("identifier.value", "code.coding.code", "status", "issued", "effectiveDateTime"),
    "ServiceRequest": ("identifier.value", "code.coding.code", "status", "intent", "priority", "authoredOn"),
    "Specimen": ("identifier.value", "type.coding.code", "receivedTime", "collection.collectedDateTime"),
    "Condition": ("identifier.value", "code.coding.code", "onsetDateTime", "recordedDate"),
    "AllergyIntolerance": ("code.coding.code", "category", "criticality", "onsetDateTime", "reaction.severity"),
    "Procedure": ("identifier.value", "code.coding.code", "performedDateTime"),
    "Immunization": ("vaccineCode.coding.code", "status", "occurrenceDateTime", "lotNumber", "expirationDate"),
    "MedicationRequest": ("status", "intent"),
    "Coverage": ("period.start", "period.end"),
    "RelatedPerson": ("name.family", "name.given", "telecom.value", "relationship.coding.code", "gender"),
    "Practitioner": ("identifier.value", "name.family", "name.given"),
    "Organization": ("name",),
    "Appointment": ("identifier.value", "status", "start", "end"),
    "DocumentReference": ("type.coding.code", "status", "docStatus", "date"),
}  # fmt: skip
TYPES = frozenset(_ELEMENTS)


def facts_of(resource: dict[str, Any]) -> set[tuple[str, str]]:
    """The facts of a resource as (``Type.path``, text)."""
    kind = resource["resourceType"]
    return {
        (f"{kind}.{path}", _plain(value))
        for path in _ELEMENTS.get(kind, ())
        for value in _values(resource, path.split("."))
    }


def _values(node: Any, path: list[str]) -> Iterator[Any]:
    if isinstance(node, list):
        for item in node:
            yield from _values(item, path)
    elif not path:
        yield node
    elif isinstance(node, dict) and path[0] in node:
        yield from _values(node[path[0]], path[1:])


def _plain(value: Any) -> str:
    """A value as text; a number by its value, so that 1.0 and 1 are the same fact; an instant in UTC."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(float(value))
    text = str(value).strip()
    if _INSTANT.match(text):
        return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC).isoformat()
    return text


_DTM = re.compile(r"^(\d{4})(\d\d)?(\d\d)?(?:(\d\d)(\d\d)(\d\d)?(\.\d+)?)?([-+]\d{4})?$")


def times_of(text: str) -> set[str]:
    """What a DTM may be written as among the facts: its date, and its instant; none for any other text."""
    found = _DTM.match(text)
    if not found:
        return set()
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    date = "-".join(part for part in (year, month, day) if part)
    if hour is None:
        return {date}
    east = offset or "+0000"
    clock = f"{date}T{hour}:{minute}:{second or '00'}{fraction or ''}{east[:3]}:{east[3:]}"
    try:
        return {date, _plain(clock)}
    except ValueError:
        return {date}
