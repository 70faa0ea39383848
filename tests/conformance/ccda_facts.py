"""What a FHIR resource says in the elements that other converters of C-CDA can be compared by, as plain facts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

Fact = tuple[str, str, str]  # type, element, value

_CODED = {
    "AllergyIntolerance": ("code", "clinicalStatus", "verificationStatus"),
    "Condition": ("code", "clinicalStatus"),
    "DiagnosticReport": ("code",),
    "Encounter": ("type",),
    "Immunization": ("vaccineCode", "route", "site"),
    "MedicationRequest": ("medicationCodeableConcept",),
    "Observation": ("code", "valueCodeableConcept", "interpretation"),
    "Patient": ("maritalStatus",),
    "Procedure": ("code",),
    "DocumentReference": ("type",),
}
_PLAIN = {
    "AllergyIntolerance": ("criticality",),
    "DiagnosticReport": ("status",),
    "Encounter": ("status",),
    "Immunization": ("status", "lotNumber"),
    "MedicationRequest": ("status",),
    "Observation": ("status", "valueString"),
    "Patient": ("gender",),
    "Procedure": ("status",),
    "Organization": ("name",),
}
_TIMES = {
    "AllergyIntolerance": ("onsetDateTime",),
    "Condition": ("onsetDateTime", "abatementDateTime"),
    "Immunization": ("occurrenceDateTime",),
    "Observation": ("effectiveDateTime",),
    "Patient": ("birthDate",),
    "Procedure": ("performedDateTime",),
}
_PERIODS = {"Encounter": "period"}
_MILLISECONDS = re.compile(r"\.0+(?=[Z+-])")


def facts_of(resource: dict[str, Any]) -> Iterator[Fact]:
    """The facts of a resource; of a type that is not compared none."""
    kind = resource["resourceType"]
    for name in _CODED.get(kind, ()):
        for code in _codes(resource.get(name)):
            yield kind, name, code
    for name in _PLAIN.get(kind, ()):
        if name in resource:
            yield kind, name, str(resource[name])
    for name in _TIMES.get(kind, ()):
        if name in resource:
            yield kind, name, _time(resource[name])
    period = resource.get(_PERIODS.get(kind, ""), {})
    yield from ((kind, f"period.{side}", _time(at)) for side, at in period.items())
    quantity = resource.get("valueQuantity") if kind == "Observation" else None
    if quantity and "value" in quantity:
        yield kind, "valueQuantity", f"{Decimal(str(quantity['value'])).normalize()} {quantity.get('unit', '')}".strip()
    if kind in ("Patient", "Practitioner"):
        for name in resource.get("name", ()):
            yield kind, "name", " ".join((*name.get("given", ()), name.get("family", ""))).strip()
    if kind == "Patient":
        for place in resource.get("address", ()):
            yield kind, "address", " ".join(place.get(part, "") for part in ("city", "state", "postalCode")).strip()
        for one in resource.get("identifier", ()):
            yield kind, "identifier", one.get("value", "")


def _codes(concept: Any) -> Iterator[str]:
    for one in concept if isinstance(concept, list) else [concept] if concept else ():
        for coding in one.get("coding", ()):
            if "code" in coding:
                yield coding["code"]


def _time(text: str) -> str:
    """A time as text, without fractions of zero, with one way to write UTC."""
    return _MILLISECONDS.sub("", text).replace("+00:00", "Z")
