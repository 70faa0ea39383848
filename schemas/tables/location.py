"""``location``: places where care happens (FHIR R4 Location)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.table import Table

LOCATION = Table(
    name="location",
    resource_type="Location",
    description="Places where care happens.",
    elements=build(
        "Location",
        (
            *STANDARD,
            "identifier",
            "status",
            "operationalStatus",
            field("name", name="location_name"),
            field("alias", name="aliases"),
            "description",
            "mode",
            "type",
            "telecom",
            "address",
            "physicalType",
            field("position.longitude", name="longitude"),
            field("position.latitude", name="latitude"),
            field("position.altitude", name="altitude"),
            "managingOrganization",
            "partOf",
            field("hoursOfOperation", json=True),
            "availabilityExceptions",
            "endpoint",
        ),
    ),
)
