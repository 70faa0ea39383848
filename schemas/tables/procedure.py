"""``procedure``: what was done to or for patients (FHIR R4 9.3)."""

from __future__ import annotations

from schemas.declare import declare
from schemas.elements import field
from schemas.systems import SNOMED
from schemas.tables.preferred import DIAGNOSIS
from schemas.tables.preferred import PROCEDURE as _CODE

PROCEDURE = declare(
    "Procedure",
    "What was done to or for patients.",
    "identifier",
    "instantiatesCanonical",
    "instantiatesUri",
    "basedOn",
    "partOf",
    "status",
    "statusReason",
    "category",
    field("code", prefer=_CODE),
    "subject",
    "encounter",
    "performed",
    "recorder",
    "asserter",
    field("performer.actor", name="performer", label="First performer"),
    field("performer", "function", "actor", "onBehalfOf", plural="performers", table="procedure_performer"),
    "location",
    field("reasonCode", prefer=DIAGNOSIS),
    "reasonReference",
    field("bodySite", prefer=(SNOMED,)),
    "outcome",
    "report",
    "complication",
    "complicationDetail",
    "followUp",
    "note",
    field("focalDevice", "action", "manipulated", table="procedure_focal_device"),
    "usedReference",
    "usedCode",
)
