"""``patient``: people who receive care (FHIR R4 Patient)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.table import Table
from schemas.us_core import PATIENT as _US_CORE

PATIENT = Table(
    name="patient",
    resource_type="Patient",
    description="People who receive care.",
    elements=build(
        "Patient",
        (
            *STANDARD,
            field("identifier", table="patient_identifier"),
            "active",
            field("name", table="patient_name"),
            field("telecom", table="patient_telecom"),
            "gender",
            "birthDate",
            "deceased",
            field("address", table="patient_address"),
            "maritalStatus",
            "multipleBirth",
            field("photo", json=True),
            field(
                "contact",
                "relationship",
                "name",
                field("telecom", json=True),
                "address",
                "gender",
                "organization",
                "period",
            ),
            field("communication", "language", "preferred"),
            "generalPractitioner",
            "managingOrganization",
            field("link", "other", "type"),
            *_US_CORE,
        ),
    ),
)
