"""``condition``: problems, diagnoses and health concerns (FHIR R4 Condition)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.systems import ICD10, ICD10CM, SNOMED
from schemas.table import Table

CONDITION = Table(
    name="condition",
    resource_type="Condition",
    description="Problems, diagnoses and health concerns.",
    elements=build(
        "Condition",
        (
            *STANDARD,
            "identifier",
            "clinicalStatus",
            "verificationStatus",
            "category",
            "severity",
            field("code", prefer=(SNOMED, ICD10CM, ICD10)),
            "bodySite",
            "subject",
            "encounter",
            "onset",
            "abatement",
            "recordedDate",
            "recorder",
            "asserter",
            field("stage", "summary", "type", field("assessment", json=True), name="stages"),
            field("evidence", field("code", name="evidence_code"), field("detail", json=True), name="evidences"),
            "note",
        ),
    ),
)
