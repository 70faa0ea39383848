"""Two small resources with what paths find hard, and how a test evaluates a path on one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transforms.fhirpath import Scope
from transforms.fhirpath.compile import Compiled

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "active": True,
    "birthDate": "1970-06",
    "_birthDate": {"extension": [{"url": "time", "valueDateTime": "1970-06-01T10:00:00+02:00"}]},
    "name": [
        {"use": "official", "family": "Smith", "given": ["Ann", None, "Bea"], "_given": [None, {"id": "g2"}]},
        {"use": "usual", "given": ["Annie"]},
    ],
    "telecom": [{"system": "phone", "value": "1", "rank": 2}, {"system": "email", "value": "a@b"}],
    "multipleBirthInteger": 2,
    "extension": [
        {
            "url": "race",
            "extension": [
                {"url": "omb", "valueCoding": {"code": "2106-3"}},
                {"url": "text", "valueString": "x"},
            ],
        },
        {"url": "sex", "valueCode": "F"},
    ],
    "generalPractitioner": [
        {"reference": "Practitioner/d1"},
        {"reference": "urn:uuid:d2"},
        {"reference": "#d3"},
        {"reference": "http://x.org/Practitioner/d4"},
        {"reference": "Organization/d5/_history/2"},
    ],
    "contained": [
        {"resourceType": "Practitioner", "id": "d3", "name": [{"family": "Doc"}]},
        {"resourceType": "Organization", "id": "o", "name": "Ward"},
    ],
}
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "o1",
    "identifier": [{"value": "i", "period": {"start": "2020-02", "end": "2020-02"}}],
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "1-1"}, {"system": "x", "code": "X"}]},
    "effectiveDateTime": "2020-02-03T04:05:06+01:00",
    "issued": "2020-02-03T03:05:06.000Z",
    "valueQuantity": {"value": 1.1, "#value": "1.10", "unit": "mg"},
    "component": [
        {"code": {"text": "a"}, "valueQuantity": {"value": 0.00012}},
        {"code": {"text": "b"}, "valueQuantity": {"value": 5.0}},
        {"code": {"text": "c"}, "valueString": "s"},
        {"code": {"text": "d"}},
    ],
}
Run = Callable[..., object]


def on(scope: Scope, compiled: Compiled, other: Scope) -> Compiled:
    """Have the runner read what ``scope`` reads."""
    other.shape.children.update(scope.shape.children)
    return compiled
