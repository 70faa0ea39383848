"""``diagnostic_report``: reports of investigations, with their results (FHIR R4 DiagnosticReport)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.systems import LOINC
from schemas.table import Table

DIAGNOSTIC_REPORT = Table(
    name="diagnostic_report",
    resource_type="DiagnosticReport",
    description="Reports of investigations, with their results.",
    elements=build(
        "DiagnosticReport",
        (
            *STANDARD,
            "identifier",
            "basedOn",
            "status",
            "category",
            field("code", prefer=(LOINC,)),
            "subject",
            "encounter",
            "effective",
            "issued",
            "performer",
            "resultsInterpreter",
            "specimen",
            field("result", table="diagnostic_report_result"),
            "imagingStudy",
            field("media", "comment", "link", name="medias"),
            "conclusion",
            "conclusionCode",
            "presentedForm",
        ),
    ),
)
