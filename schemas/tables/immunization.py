"""``immunization``: vaccines given, or not given and why (FHIR R4 Immunization)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.systems import CVX
from schemas.table import Table

IMMUNIZATION = Table(
    name="immunization",
    resource_type="Immunization",
    description="Vaccines given, or not given and why.",
    elements=build(
        "Immunization",
        (
            *STANDARD,
            "identifier",
            "status",
            "statusReason",
            field("vaccineCode", prefer=(CVX,)),
            "patient",
            "encounter",
            "occurrence",
            field("recorded"),
            "primarySource",
            "reportOrigin",
            "location",
            "manufacturer",
            "lotNumber",
            "expirationDate",
            "site",
            "route",
            "doseQuantity",
            field("performer", "function", "actor", table="immunization_performer"),
            "note",
            "reasonCode",
            "reasonReference",
            "isSubpotent",
            "subpotentReason",
            field("education", "documentType", "reference", "publicationDate", "presentationDate", name="educations"),
            "programEligibility",
            "fundingSource",
            field("reaction", "date", "detail", "reported", table="immunization_reaction"),
            field(
                "protocolApplied", "series", "authority", "targetDisease", "doseNumber", "seriesDoses", name="protocols"
            ),
        ),
    ),
)
