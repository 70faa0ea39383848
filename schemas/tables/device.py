"""``device``: devices used in care, implants above all (FHIR R4 8.8)."""

from __future__ import annotations

from schemas.declare import declare
from schemas.elements import field
from schemas.systems import SNOMED

DEVICE = declare(
    "Device",
    "Devices used in care, implants above all.",
    field("identifier", table="device_identifier"),
    "definition",
    field("udiCarrier.deviceIdentifier", name="udi_device_identifier"),
    field("udiCarrier.carrierHRF", name="udi_carrier_hrf", phi=True, label="Barcode as people read it"),
    field(
        "udiCarrier",
        "deviceIdentifier",
        "issuer",
        "jurisdiction",
        field("carrierAIDC", name="carrier_aidc", phi=True),
        field("carrierHRF", name="carrier_hrf", phi=True),
        "entryType",
        table="device_udi_carrier",
    ),
    "status",
    "statusReason",
    field("distinctIdentifier", phi=True),
    "manufacturer",
    "manufactureDate",
    "expirationDate",
    "lotNumber",
    field("serialNumber", phi=True),
    field("deviceName.name", name="device_name", label="First name of the device"),
    field("deviceName", "name", "type", plural="device_names", table="device_device_name"),
    "modelNumber",
    "partNumber",
    field("type", prefer=(SNOMED,)),
    field("specialization", "systemType", field("version", name="specialization_version")),
    field("version", "type", "component", "value", plural="versions", table="device_version"),
    field("property", "type", "valueQuantity", "valueCode", table="device_property"),
    "patient",
    "owner",
    "contact",
    "location",
    "url",
    "note",
    "safety",
    "parent",
)
