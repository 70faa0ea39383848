"""``practitioner``: people who provide care (FHIR R4 8.4)."""

from __future__ import annotations

from schemas.declare import declare
from schemas.elements import at, field

_NPI = "identifier.where(system = 'http://hl7.org/fhir/sid/us-npi').value.first()"

PRACTITIONER = declare(
    "Practitioner",
    "People who provide care.",
    field("identifier", table="practitioner_identifier"),
    at("npi", _NPI, "string", label="National Provider Identifier (United States)", phi=True),
    "active",
    field("name", table="practitioner_name"),
    field("telecom", table="practitioner_telecom"),
    field("address", table="practitioner_address"),
    "gender",
    "birthDate",
    "photo",
    field("qualification.code", name="qualification", label="First qualification"),
    field(
        "qualification",
        "identifier",
        "code",
        "period",
        "issuer",
        plural="qualifications",
        table="practitioner_qualification",
    ),
    field("communication", label="Language of communication"),
)
