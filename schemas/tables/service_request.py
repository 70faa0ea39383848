"""``service_request``: orders of services: laboratory, imaging, referral (FHIR R4 ServiceRequest)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.systems import CPT, LOINC, SNOMED
from schemas.table import Table

SERVICE_REQUEST = Table(
    name="service_request",
    resource_type="ServiceRequest",
    description="Orders of services: laboratory, imaging, referral.",
    elements=build(
        "ServiceRequest",
        (
            *STANDARD,
            "identifier",
            "instantiatesCanonical",
            "instantiatesUri",
            "basedOn",
            "replaces",
            "requisition",
            "status",
            "intent",
            "category",
            "priority",
            "doNotPerform",
            field("code", prefer=(LOINC, SNOMED, CPT)),
            "orderDetail",
            "quantity",
            "subject",
            "encounter",
            "occurrence",
            "asNeeded",
            "authoredOn",
            "requester",
            field("performerType", name="performer_role"),
            "performer",
            "locationCode",
            "locationReference",
            "reasonCode",
            "reasonReference",
            "insurance",
            "supportingInfo",
            "specimen",
            "bodySite",
            "note",
            "patientInstruction",
            "relevantHistory",
        ),
    ),
)
