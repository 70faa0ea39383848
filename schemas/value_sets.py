"""Codes of required bindings. Most stand in R4's own JSON schema; these are the ones it types as plain `code`.

Source of each: the FHIR R4 (4.0.1) definition of the element and the value set it binds as required (CC0).
"""

from __future__ import annotations

from schemas import fhir_types

_ERROR = "entered-in-error"
_REQUEST_STATUS = ("draft", "active", "on-hold", "revoked", "completed", _ERROR, "unknown")
_REQUEST_PRIORITY = ("routine", "urgent", "asap", "stat")
_REQUEST_INTENT = (
    "proposal",
    "plan",
    "order",
    "original-order",
    "reflex-order",
    "filler-order",
    "instance-order",
    "option",
)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FINANCIAL_STATUS = ("active", "cancelled", "draft", _ERROR)

_SUPPLEMENT: dict[tuple[str, str], tuple[str, ...]] = {
    # http://hl7.org/fhir/ValueSet/event-status
    ("Procedure", "status"): (
        "preparation", "in-progress", "not-done", "on-hold", "stopped", "completed", _ERROR, "unknown",
    ),
    # http://hl7.org/fhir/ValueSet/medicationrequest-status, -intent, request-priority
    ("MedicationRequest", "status"): (
        "active", "on-hold", "cancelled", "completed", _ERROR, "stopped", "draft", "unknown",
    ),
    ("MedicationRequest", "intent"): _REQUEST_INTENT,
    ("MedicationRequest", "priority"): _REQUEST_PRIORITY,
    # http://hl7.org/fhir/ValueSet/medication-admin-status
    ("MedicationAdministration", "status"): (
        "in-progress", "not-done", "on-hold", "completed", _ERROR, "stopped", "unknown",
    ),
    # http://hl7.org/fhir/ValueSet/medicationdispense-status
    ("MedicationDispense", "status"): (
        "preparation", "in-progress", "cancelled", "on-hold", "completed", _ERROR, "stopped", "declined", "unknown",
    ),
    # http://hl7.org/fhir/ValueSet/medication-statement-status
    ("MedicationStatement", "status"): (
        "active", "completed", _ERROR, "intended", "stopped", "on-hold", "unknown", "not-taken",
    ),
    # http://hl7.org/fhir/ValueSet/medication-status
    ("Medication", "status"): ("active", "inactive", _ERROR),
    # http://hl7.org/fhir/ValueSet/immunization-status
    ("Immunization", "status"): ("completed", _ERROR, "not-done"),
    # http://hl7.org/fhir/ValueSet/composition-status
    ("DocumentReference", "docStatus"): ("preliminary", "final", "amended", _ERROR),
    # http://hl7.org/fhir/ValueSet/request-status, care-plan-intent
    ("CarePlan", "status"): _REQUEST_STATUS,
    ("CarePlan", "intent"): ("proposal", "plan", "order", "option"),
    # http://hl7.org/fhir/ValueSet/care-plan-activity-kind
    ("CarePlan.activity.detail", "kind"): (
        "Appointment", "CommunicationRequest", "DeviceRequest", "MedicationRequest", "NutritionOrder", "Task",
        "ServiceRequest", "VisionPrescription",
    ),
    # http://hl7.org/fhir/ValueSet/days-of-week
    ("Location.hoursOfOperation", "daysOfWeek"): _DAYS,
    ("PractitionerRole.availableTime", "daysOfWeek"): _DAYS,
    ("Timing.repeat", "dayOfWeek"): _DAYS,
    # http://hl7.org/fhir/ValueSet/condition-clinical, condition-ver-status
    ("Condition", "clinicalStatus"): ("active", "recurrence", "relapse", "inactive", "remission", "resolved"),
    ("Condition", "verificationStatus"): (
        "unconfirmed", "provisional", "differential", "confirmed", "refuted", _ERROR,
    ),
    # http://hl7.org/fhir/ValueSet/allergyintolerance-clinical, allergyintolerance-verification
    ("AllergyIntolerance", "clinicalStatus"): ("active", "inactive", "resolved"),
    ("AllergyIntolerance", "verificationStatus"): ("unconfirmed", "confirmed", "refuted", _ERROR),
    # http://hl7.org/fhir/ValueSet/fm-status, claim-use, remittance-outcome
    ("Claim", "status"): _FINANCIAL_STATUS,
    ("Coverage", "status"): _FINANCIAL_STATUS,
    ("ExplanationOfBenefit", "use"): ("claim", "preauthorization", "predetermination"),
    ("ExplanationOfBenefit", "outcome"): ("queued", "complete", "error", "partial"),
    # http://hl7.org/fhir/ValueSet/request-status, request-intent, request-priority
    ("ServiceRequest", "status"): _REQUEST_STATUS,
    ("ServiceRequest", "intent"): (*_REQUEST_INTENT[:2], "directive", *_REQUEST_INTENT[2:]),
    ("ServiceRequest", "priority"): _REQUEST_PRIORITY,
}  # fmt: skip


def required_codes(parent: str, element: fhir_types.Element) -> tuple[str, ...]:
    """The codes that R4 allows for this element of ``parent``; empty when its binding is not required."""
    return element.codes or _SUPPLEMENT.get((parent, element.name), ())
