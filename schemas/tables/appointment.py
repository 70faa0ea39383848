"""``appointment``: bookings of care (FHIR R4 12.18)."""

from __future__ import annotations

import polars as pl

from schemas.declare import declare
from schemas.elements import field
from schemas.invariants import each_has, row_is

_STARTS, _ENDS = pl.col("starts_date").is_not_null(), pl.col("ends_date").is_not_null()
_CANCELLED = pl.col("status").is_in(["cancelled", "noshow"])
_OPEN = pl.col("status").is_in(["proposed", "cancelled", "waitlist"])

APPOINTMENT = declare(
    "Appointment",
    "Bookings of care.",
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
    field("description", phi=True),
    field("supportingInformation", plural="supporting_information_list"),
    field("start", name="starts"),
    field("end", name="ends"),
    "minutesDuration",
    "slot",
    "created",
    field("comment", name="appointment_comment", phi=True),
    "patientInstruction",
    "basedOn",
    field("participant.actor", name="actor", label="First participant"),
    field(
        "participant",
        "type",
        "actor",
        field("required", name="participation_required"),
        "status",
        "period",
        plural="participants",
        table="appointment_participant",
    ),
    field("requestedPeriod", plural="requested_periods"),
    rules=(
        each_has("app-1", "participants", "type", "actor"),
        row_is("app-2", "There is a start and an end, or neither.", _STARTS == _ENDS, "starts_date", "ends_date"),
        row_is(
            "app-3",
            "Only proposed, cancelled and waitlisted appointments lack a start and an end.",
            (_STARTS & _ENDS) | _OPEN,
            "starts_date",
            "ends_date",
            "status",
        ),
        row_is(
            "app-4",
            "Only cancelled appointments and those to which nobody came have a reason for it.",
            (pl.col("cancelation_reason_codings").is_null() & pl.col("cancelation_reason_text").is_null()) | _CANCELLED,
            "cancelation_reason_codings",
            "cancelation_reason_text",
            "status",
        ),
    ),
)
