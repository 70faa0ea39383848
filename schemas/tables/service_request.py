"""``service_request``: orders of tests, procedures and other services (FHIR R4 12.10)."""

from __future__ import annotations

from schemas.declare import declare
from schemas.elements import field
from schemas.invariants import row_needs
from schemas.systems import CPT, LOINC, SNOMED
from schemas.tables.preferred import DIAGNOSIS

SERVICE_REQUEST = declare(
    "ServiceRequest",
    "Orders of tests, procedures and other services.",
    "identifier",
    "instantiatesCanonical",
    "instantiatesUri",
    "basedOn",
    field("replaces", plural="replaces_list"),
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
    field("performerType", name="performer_role", label="Kind of performer asked for"),
    field("performer", table="service_request_performer"),
    "locationCode",
    "locationReference",
    field("reasonCode", prefer=DIAGNOSIS),
    "reasonReference",
    "insurance",
    field("supportingInfo", plural="supporting_info_list"),
    "specimen",
    field("bodySite", prefer=(SNOMED,)),
    "note",
    "patientInstruction",
    field("relevantHistory", plural="relevant_history"),
    rules=(row_needs("prr-1", "order_detail", "code"),),
)
