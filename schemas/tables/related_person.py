"""``related_person``: relatives, friends and others around a patient (FHIR R4 8.10)."""

from __future__ import annotations

from schemas.declare import declare
from schemas.elements import field
from schemas.tables.preferred import LANGUAGE

RELATED_PERSON = declare(
    "RelatedPerson",
    "Relatives, friends and others around a patient.",
    field("identifier", table="related_person_identifier"),
    "active",
    "patient",
    "relationship",
    field("name", table="related_person_name"),
    field("telecom", table="related_person_telecom"),
    "gender",
    "birthDate",
    field("address", table="related_person_address"),
    "photo",
    "period",
    field("communication", field("language", prefer=LANGUAGE), "preferred"),
)
