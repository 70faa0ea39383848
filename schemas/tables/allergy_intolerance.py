"""``allergy_intolerance``: allergies and intolerances, also that none are known (FHIR R4 AllergyIntolerance)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.systems import RXNORM, SNOMED
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
)
