"""``condition``: problems, diagnoses and health concerns (FHIR R4 Condition)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.rules import abated_is_over, no_clinical_status_in_error
from schemas.standard import STANDARD
from schemas.systems import CONDITION_CLINICAL, CONDITION_VERIFICATION, ICD10, ICD10CM, SNOMED
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
    rules=(
        abated_is_over("con-4", CONDITION_CLINICAL),
        no_clinical_status_in_error("con-5", CONDITION_VERIFICATION),
    ),
)
