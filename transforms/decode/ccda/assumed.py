"""What stands in an element that FHIR R4 requires and the document does not tell, when rows are written as FHIR JSON.

The mart has null there.
"""

from __future__ import annotations

from collections.abc import Mapping

from transforms.decode.ccda.datatypes import ABSENT_EXTENSION, DATA_ABSENT

_NOBODY = {"extension": [{"url": ABSENT_EXTENSION, "valueCode": "unknown"}]}
_UNKNOWN = {"coding": [{"system": DATA_ABSENT, "code": "unknown"}]}

ASSUMED: Mapping[str, Mapping[str, object]] = {
    "AllergyIntolerance": {"patient": _NOBODY},
    "Condition": {"subject": _NOBODY},
    "DiagnosticReport": {"status": "unknown"},
    "Encounter": {"status": "unknown", "class": {"system": DATA_ABSENT, "code": "unknown"}},
    "Goal": {"lifecycleStatus": "active", "subject": _NOBODY},
    "Immunization": {"status": "completed", "patient": _NOBODY, "occurrenceString": "unknown"},
    "MedicationDispense": {"status": "unknown"},
    "MedicationRequest": {"status": "unknown", "subject": _NOBODY},
    "Observation": {"status": "unknown", "code": _UNKNOWN},
    "Procedure": {"status": "unknown", "subject": _NOBODY},
    "ServiceRequest": {"status": "unknown", "intent": "plan", "subject": _NOBODY},
}
