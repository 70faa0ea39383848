"""``specimen``: material taken from a patient (FHIR R4 Specimen)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.systems import SNOMED
from schemas.table import Table

SPECIMEN = Table(
    name="specimen",
    resource_type="Specimen",
    description="Material taken from a patient.",
    elements=build(
        "Specimen",
        (
            *STANDARD,
            "identifier",
            "accessionIdentifier",
            "status",
            field("type", prefer=(SNOMED,)),
            "subject",
            "receivedTime",
            "parent",
            "request",
            field("collection.collector", name="collector"),
            field("collection.collected", name="collected"),
            field("collection.duration", name="collection_duration"),
            field("collection.quantity", name="collection_quantity"),
            field("collection.method", name="collection_method"),
            field("collection.bodySite", name="collection_body_site"),
            field("collection.fastingStatus", name="fasting_status"),
            field("processing", json=True),
            field("container", json=True),
            "condition",
            "note",
        ),
    ),
)
