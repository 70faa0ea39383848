"""``specimen``: material taken for tests (FHIR R4 10.5)."""

from __future__ import annotations

from schemas.declare import declare
from schemas.elements import field
from schemas.systems import SNOMED

SPECIMEN = declare(
    "Specimen",
    "Material taken for tests.",
    "identifier",
    "accessionIdentifier",
    "status",
    field("type", prefer=(SNOMED,)),
    "subject",
    field("receivedTime", name="received"),
    field("parent", plural="parents"),
    "request",
    field("collection.collector", name="collector"),
    field("collection.collected", name="collected"),
    field("collection.duration", name="collection_duration"),
    field("collection.quantity", name="collection_quantity"),
    field("collection.method", name="collection_method"),
    field("collection.bodySite", name="collection_body_site", prefer=(SNOMED,)),
    field("collection.fastingStatus", name="fasting_status"),
    field(
        "processing",
        "description",
        "procedure",
        "additive",
        field("time", name="processed"),
        plural="processing",
        table="specimen_processing",
    ),
    field(
        "container",
        "identifier",
        "description",
        "type",
        "capacity",
        "specimenQuantity",
        "additive",
        table="specimen_container",
    ),
    "condition",
    "note",
)
