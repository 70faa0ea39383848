"""``allergy_intolerance``: allergies and intolerances (FHIR R4 9.1)."""

from __future__ import annotations

from schemas.declare import declare
from schemas.elements import field
from schemas.rules import clinical_status_needed, no_clinical_status_in_error
from schemas.systems import ALLERGY_VERIFICATION, SNOMED
from schemas.tables.preferred import ALLERGEN, ALLERGY_CLINICAL

ALLERGY_INTOLERANCE = declare(
    "AllergyIntolerance",
    "Allergies and intolerances, also that none are known.",
    "identifier",
    field("clinicalStatus", prefer=ALLERGY_CLINICAL),
    field("verificationStatus", prefer=(ALLERGY_VERIFICATION,)),
    "type",
    field("category", name="categories"),
    "criticality",
    field("code", prefer=ALLERGEN),
    "patient",
    "encounter",
    "onset",
    "recordedDate",
    "recorder",
    "asserter",
    "lastOccurrence",
    "note",
    field(
        "reaction.manifestation", name="manifestation", prefer=(SNOMED,), label="Manifestation of the first reaction"
    ),
    field("reaction.severity", name="reaction_severity", label="Severity of the first reaction"),
    field(
        "reaction",
        field("substance", prefer=ALLERGEN),
        field("manifestation", prefer=(SNOMED,)),
        "description",
        "onset",
        "severity",
        "exposureRoute",
        "note",
        table="allergy_intolerance_reaction",
    ),
    rules=(
        clinical_status_needed("ait-1", ALLERGY_VERIFICATION),
        no_clinical_status_in_error("ait-2", ALLERGY_VERIFICATION),
    ),
)
