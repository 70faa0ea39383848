"""``immunization``: vaccines given, or not given and why (FHIR R4 11.8)."""

from __future__ import annotations

from schemas.declare import declare
from schemas.elements import field
from schemas.invariants import each_has
from schemas.tables.preferred import DIAGNOSIS, VACCINE

IMMUNIZATION = declare(
    "Immunization",
    "Vaccines given, or not given and why.",
    "identifier",
    "status",
    "statusReason",
    field("vaccineCode", prefer=VACCINE),
    "patient",
    "encounter",
    "occurrence",
    "recorded",
    "primarySource",
    "reportOrigin",
    "location",
    "manufacturer",
    "lotNumber",
    "expirationDate",
    "site",
    "route",
    "doseQuantity",
    field("performer.actor", name="performer", label="First performer"),
    field("performer", "function", "actor", plural="performers", table="immunization_performer"),
    "note",
    field("reasonCode", prefer=DIAGNOSIS),
    "reasonReference",
    "isSubpotent",
    "subpotentReason",
    field(
        "education",
        "documentType",
        field("reference", name="document_uri"),
        "publicationDate",
        "presentationDate",
        plural="education",
        table="immunization_education",
    ),
    "programEligibility",
    "fundingSource",
    field("reaction", "date", "detail", "reported", table="immunization_reaction"),
    field(
        "protocolApplied",
        "series",
        "authority",
        "targetDisease",
        field("doseNumber", name="dose"),
        "seriesDoses",
        plural="protocols",
        table="immunization_protocol",
    ),
    rules=(each_has("imm-1", "education", "document_type", "document_uri"),),
)
