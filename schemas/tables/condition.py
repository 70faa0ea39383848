"""``condition``: problems, diagnoses and other concerns (FHIR R4 9.2)."""

from __future__ import annotations

from schemas.declare import declare
from schemas.elements import at, field
from schemas.invariants import each_has
from schemas.rules import abated_is_over, no_clinical_status_in_error
from schemas.systems import CONDITION_CLINICAL, CONDITION_VERIFICATION, SNOMED
from schemas.tables.preferred import CONDITION_CATEGORY, DIAGNOSIS

_ASSERTED = "extension('http://hl7.org/fhir/StructureDefinition/condition-assertedDate').value.ofType(dateTime).first()"

CONDITION = declare(
    "Condition",
    "Problems, diagnoses and other concerns.",
    "identifier",
    field("clinicalStatus", prefer=(CONDITION_CLINICAL,)),
    field("verificationStatus", prefer=(CONDITION_VERIFICATION,)),
    field("category", prefer=CONDITION_CATEGORY),
    "severity",
    field("code", prefer=DIAGNOSIS),
    field("bodySite", prefer=(SNOMED,)),
    "subject",
    "encounter",
    "onset",
    "abatement",
    "recordedDate",
    at("asserted", _ASSERTED, "dateTime", label="Asserted (US Core extension)"),
    "recorder",
    "asserter",
    field("stage.summary", name="stage", label="First stage"),
    field("stage", "summary", "assessment", "type", plural="stages", table="condition_stage"),
    field("evidence", "code", "detail", plural="evidence", table="condition_evidence"),
    "note",
    rules=(
        each_has("con-1", "stages", "summary", "assessment", "assessments"),
        each_has("con-2", "evidence", "code", "detail", "details"),
        abated_is_over("con-4", CONDITION_CLINICAL),
        no_clinical_status_in_error("con-5", CONDITION_VERIFICATION),
    ),
)
