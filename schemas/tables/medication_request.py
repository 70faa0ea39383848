"""``medication_request``: orders of medication (FHIR R4 11.1)."""

from __future__ import annotations

from schemas.declare import declare
from schemas.elements import at, field
from schemas.systems import US_CORE
from schemas.tables.preferred import DIAGNOSIS, DRUG

_ADHERENCE = f"extension('{US_CORE}us-core-medication-adherence')"

MEDICATION_REQUEST = declare(
    "MedicationRequest",
    "Orders of medication.",
    "identifier",
    "status",
    "statusReason",
    "intent",
    "category",
    "priority",
    "doNotPerform",
    "reported",
    field("medication", prefer=DRUG),
    "subject",
    "encounter",
    field("supportingInformation", plural="supporting_information_list"),
    "authoredOn",
    "requester",
    "performer",
    field("performerType", name="performer_role", label="Kind of performer asked for"),
    "recorder",
    field("reasonCode", prefer=DIAGNOSIS),
    "reasonReference",
    "instantiatesCanonical",
    "instantiatesUri",
    "basedOn",
    "groupIdentifier",
    "courseOfTherapyType",
    "insurance",
    "note",
    field("dosageInstruction", name="dosage", table="medication_request_dosage"),
    field("dispenseRequest.initialFill.quantity", name="dispense_initial_fill"),
    field("dispenseRequest.initialFill.duration", name="dispense_initial_fill_duration"),
    field("dispenseRequest.dispenseInterval", name="dispense_interval"),
    field("dispenseRequest.validityPeriod", name="dispense_validity"),
    field("dispenseRequest.numberOfRepeatsAllowed", name="dispense_repeats_allowed"),
    field("dispenseRequest.quantity", name="dispense_quantity"),
    field("dispenseRequest.expectedSupplyDuration", name="dispense_supply_duration"),
    field("dispenseRequest.performer", name="dispense_performer"),
    field("substitution.allowed", name="substitution_allowed"),
    field("substitution.reason", name="substitution_reason"),
    "priorPrescription",
    "detectedIssue",
    field("eventHistory", plural="event_history"),
    at(
        "adherence",
        f"{_ADHERENCE}.extension('medicationAdherence').value.ofType(CodeableConcept).first()",
        "CodeableConcept",
        label="Adherence (US Core extension)",
    ),
    at(
        "adherence_asserted",
        f"{_ADHERENCE}.extension('dateAsserted').value.ofType(dateTime).first()",
        "dateTime",
        label="Adherence asserted (US Core extension)",
    ),
)
