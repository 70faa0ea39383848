"""``allergy_intolerance``: allergies and intolerances, also that none are known (FHIR R4 AllergyIntolerance)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.rules import clinical_status_needed, no_clinical_status_in_error
from schemas.standard import STANDARD
from schemas.systems import ALLERGY_VERIFICATION, RXNORM, SNOMED
from schemas.table import Table

ALLERGY_INTOLERANCE = Table(
    name="allergy_intolerance",
    resource_type="AllergyIntolerance",
    description="Allergies and intolerances, also that none are known.",
    elements=build(
        "AllergyIntolerance",
        (
            *STANDARD,
            "identifier",
            "clinicalStatus",
            "verificationStatus",
            "type",
            field("category", name="categories"),
            "criticality",
            field("code", prefer=(SNOMED, RXNORM)),
            "patient",
            "encounter",
            "onset",
            "recordedDate",
            "recorder",
            "asserter",
            "lastOccurrence",
            "note",
            field(
                "reaction",
                "substance",
                "manifestation",
                "description",
                "onset",
                "severity",
                "exposureRoute",
                table="allergy_intolerance_reaction",
            ),
        ),
    ),
    rules=(
        clinical_status_needed("ait-1", ALLERGY_VERIFICATION),
        no_clinical_status_in_error("ait-2", ALLERGY_VERIFICATION),
    ),
)
