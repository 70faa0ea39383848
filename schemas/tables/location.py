"""``location``: places where care happens (FHIR R4 8.7)."""

from __future__ import annotations

from schemas.declare import declare
from schemas.elements import field

LOCATION = declare(
    "Location",
    "Places where care happens.",
    field("identifier", table="location_identifier"),
    "status",
    "operationalStatus",
    field("name", name="location_name"),
    field("alias", name="aliases"),
    "description",
    "mode",
    "type",
    field("telecom", table="location_telecom"),
    "address",
    "physicalType",
    field("position.longitude", name="longitude"),
    field("position.latitude", name="latitude"),
    field("position.altitude", name="altitude"),
    "managingOrganization",
    "partOf",
    field(
        "hoursOfOperation",
        field("daysOfWeek", name="days_of_week"),
        "allDay",
        "openingTime",
        "closingTime",
        plural="hours_of_operation",
    ),
    "availabilityExceptions",
    "endpoint",
    personal=False,
)
