"""``medication_request``: orders of medication (FHIR R4 MedicationRequest)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.systems import RXNORM
from schemas.table import Table

MEDICATION_REQUEST = Table(
    name="medication_request",
    resource_type="MedicationRequest",
    description="Orders of medication.",
    elements=build(
        "MedicationRequest",
        (
            *STANDARD,
            "identifier",
            "status",
            "statusReason",
            "intent",
            "category",
            "priority",
            "doNotPerform",
            "reported",
            field("medication", prefer=(RXNORM,)),
            "subject",
            "encounter",
            "supportingInformation",
            "authoredOn",
            "requester",
            "performer",
            field("performerType", name="performer_role"),
            "recorder",
            "reasonCode",
            "reasonReference",
            "instantiatesCanonical",
            "instantiatesUri",
            "basedOn",
            "groupIdentifier",
            "courseOfTherapyType",
            "insurance",
            "note",
            field("dosageInstruction", table="medication_request_dosage"),
            field("dispenseRequest.validityPeriod", name="dispense_validity"),
            field("dispenseRequest.numberOfRepeatsAllowed", name="dispense_repeats_allowed"),
            field("dispenseRequest.quantity", name="dispense_quantity"),
            field("dispenseRequest.expectedSupplyDuration", name="dispense_supply_duration"),
            field("dispenseRequest.performer", name="dispense_performer"),
            field("substitution.allowed", name="substitution_allowed"),
            field("substitution.reason", name="substitution_reason"),
            "priorPrescription",
            "detectedIssue",
            "eventHistory",
        ),
    ),
)
