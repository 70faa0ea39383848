"""``medication_dispense``: medication handed out (FHIR R4 11.2)."""

from __future__ import annotations

from schemas.declare import declare
from schemas.elements import field
from schemas.rules import order_rule
from schemas.tables.preferred import DRUG

MEDICATION_DISPENSE = declare(
    "MedicationDispense",
    "Medication handed out.",
    "identifier",
    "partOf",
    "status",
    "statusReason",
    "category",
    field("medication", prefer=DRUG),
    "subject",
    "context",
    field("supportingInformation", plural="supporting_information_list"),
    field("performer.actor", name="performer", label="First performer"),
    field("performer", "function", "actor", plural="performers", table="medication_dispense_performer"),
    "location",
    "authorizingPrescription",
    "type",
    "quantity",
    "daysSupply",
    "whenPrepared",
    "whenHandedOver",
    "destination",
    "receiver",
    "note",
    field("dosageInstruction", name="dosage", table="medication_dispense_dosage"),
    field("substitution.wasSubstituted", name="was_substituted"),
    field("substitution.type", name="substitution_type"),
    field("substitution.reason", name="substitution_reason"),
    field("substitution.responsibleParty", name="substitution_party", plural="substitution_parties"),
    "detectedIssue",
    field("eventHistory", plural="event_history"),
    rules=(order_rule("mdd-1", "when_prepared", "when_handed_over"),),
)
