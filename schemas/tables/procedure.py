"""``procedure``: what was done to or for a patient (FHIR R4 Procedure)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.systems import CPT, SNOMED
from schemas.table import Table

PROCEDURE = Table(
    name="procedure",
    resource_type="Procedure",
    description="What was done to or for a patient.",
    elements=build(
        "Procedure",
        (
            *STANDARD,
            "identifier",
            "instantiatesCanonical",
            "instantiatesUri",
            "basedOn",
            "partOf",
            "status",
            "statusReason",
            "category",
            field("code", prefer=(SNOMED, CPT)),
            "subject",
            "encounter",
            "performed",
            "recorder",
            "asserter",
            field("performer", "function", "actor", "onBehalfOf", table="procedure_performer"),
            "location",
            "reasonCode",
            "reasonReference",
            "bodySite",
            "outcome",
            "report",
            "complication",
            "complicationDetail",
            "followUp",
            "note",
            field("focalDevice", "action", "manipulated", name="focal_devices"),
            "usedReference",
            "usedCode",
        ),
    ),
)
