"""``related_person``: family and others close to a patient (FHIR R4 RelatedPerson)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.table import Table

RELATED_PERSON = Table(
    name="related_person",
    resource_type="RelatedPerson",
    description="Family and others close to a patient.",
    elements=build(
        "RelatedPerson",
        (
            *STANDARD,
            "identifier",
            "active",
            "patient",
            "relationship",
            "name",
            "telecom",
            "gender",
            "birthDate",
            "address",
            field("photo", json=True),
            "period",
            field("communication", "language", "preferred"),
        ),
    ),
)
