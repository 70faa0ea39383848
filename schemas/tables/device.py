"""``device``: devices used in care, implants above all (FHIR R4 Device)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.table import Table

DEVICE = Table(
    name="device",
    resource_type="Device",
    description="Devices used in care, implants above all.",
    elements=build(
        "Device",
        (
            *STANDARD,
            "identifier",
            "definition",
            field(
                "udiCarrier",
                "deviceIdentifier",
                "issuer",
                "jurisdiction",
                "carrierHRF",
                "entryType",
                name="udi_carriers",
            ),
            field("udiCarrier.deviceIdentifier", name="udi_device_identifier"),
            field("udiCarrier.carrierHRF", name="udi_carrier_hrf"),
            "status",
            "statusReason",
            "distinctIdentifier",
            "manufacturer",
            "manufactureDate",
            "expirationDate",
            "lotNumber",
            "serialNumber",
            field("deviceName", "name", "type", name="device_names"),
            "modelNumber",
            "partNumber",
            "type",
            field("specialization", "systemType", "version", name="specializations"),
            field("version", "type", "value", name="versions"),
            field("property", json=True, name="properties"),
            "patient",
            "owner",
            "contact",
            "location",
            "url",
            "note",
            "safety",
            "parent",
        ),
    ),
)
