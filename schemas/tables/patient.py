"""``patient``: people who receive care (FHIR R4 8.1)."""

from __future__ import annotations

from schemas.declare import declare
from schemas.elements import at, field
from schemas.invariants import each_has
from schemas.tables.preferred import LANGUAGE, MARITAL_STATUS
from schemas.us_core import PATIENT as _US_CORE

_MRN = "identifier.where(type.coding.where(code = 'MR').exists()).value.first()"
_PHONE, _EMAIL = (f"telecom.where(system = '{system}').value.first()" for system in ("phone", "email"))
_BIRTH_TIME = "birthDate.extension('http://hl7.org/fhir/StructureDefinition/patient-birthTime')"
_GEOLOCATION = "address.first().extension('http://hl7.org/fhir/StructureDefinition/geolocation')"

PATIENT = declare(
    "Patient",
    "People who receive care.",
    field("identifier", table="patient_identifier"),
    at("mrn", _MRN, "string", label="Medical record number: the first identifier of type MR", phi=True),
    "active",
    field("name", table="patient_name"),
    field("telecom", table="patient_telecom"),
    at("phone", _PHONE, "string", label="First phone number sent", phi=True),
    at("email", _EMAIL, "string", label="First e-mail address sent", phi=True),
    "gender",
    "birthDate",
    at("birth_time", f"{_BIRTH_TIME}.value.ofType(dateTime).first()", "dateTime", label="Time of birth", phi=True),
    "deceased",
    field("address", table="patient_address"),
    *(
        at(
            f"address_{part}",
            f"{_GEOLOCATION}.extension('{part}').value.ofType(decimal).first()",
            "decimal",
            label=f"Address {part} (geolocation extension)",
            phi=True,
        )
        for part in ("latitude", "longitude")
    ),
    field("maritalStatus", prefer=MARITAL_STATUS),
    "multipleBirth",
    "photo",
    field(
        "contact",
        "relationship",
        "name",
        "telecom",
        "address",
        "gender",
        "organization",
        "period",
        plural="contacts",
        table="patient_contact",
        phi=True,
    ),
    field("communication.language", name="language", prefer=LANGUAGE, label="First language of communication"),
    field("communication", field("language", prefer=LANGUAGE), "preferred", table="patient_communication"),
    "generalPractitioner",
    "managingOrganization",
    field("link", "other", "type", table="patient_link"),
    *_US_CORE,
    rules=(each_has("pat-1", "contacts", "name", "telecoms", "address", "organization"),),
)
