"""``practitioner_role``: what practitioners do for organizations, where and when (FHIR R4 8.5)."""

from __future__ import annotations

from schemas.declare import declare
from schemas.elements import field
from schemas.tables.preferred import SPECIALTY

PRACTITIONER_ROLE = declare(
    "PractitionerRole",
    "What practitioners do for organizations, where and when.",
    "identifier",
    "active",
    "period",
    "practitioner",
    "organization",
    field("code", prefer=SPECIALTY),
    field("specialty", prefer=SPECIALTY),
    field("location", table="practitioner_role_location"),
    "healthcareService",
    field("telecom", table="practitioner_role_telecom"),
    field(
        "availableTime",
        field("daysOfWeek", name="days_of_week"),
        "allDay",
        "availableStartTime",
        "availableEndTime",
        plural="available_times",
    ),
    field("notAvailable", "description", "during", plural="not_available"),
    "availabilityExceptions",
    "endpoint",
)
