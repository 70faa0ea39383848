"""``appointment``: bookings of care (FHIR R4 Appointment)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.table import Table

APPOINTMENT = Table(
    name="appointment",
    resource_type="Appointment",
    description="Bookings of care.",
    elements=build(
        "Appointment",
        (
            *STANDARD,
            "identifier",
            "status",
            "cancelationReason",
            "serviceCategory",
            "serviceType",
            "specialty",
            "appointmentType",
            "reasonCode",
            "reasonReference",
            "priority",
            "description",
            "supportingInformation",
            field("start", name="starts"),
            field("end", name="ends"),
            "minutesDuration",
            "slot",
            "created",
            field("comment", name="appointment_comment"),
            "patientInstruction",
            "basedOn",
            field("participant", "type", "actor", "required", "status", "period", table="appointment_participant"),
            "requestedPeriod",
        ),
    ),
)
