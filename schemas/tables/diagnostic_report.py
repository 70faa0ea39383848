"""``diagnostic_report``: findings and interpretations of tests (FHIR R4 10.3)."""

from __future__ import annotations

from schemas.declare import declare
from schemas.elements import field
from schemas.tables.preferred import DIAGNOSIS, REPORT, REPORT_CATEGORY

DIAGNOSTIC_REPORT = declare(
    "DiagnosticReport",
    "Findings and interpretations of tests on patients, groups, devices and places.",
    "identifier",
    "basedOn",
    "status",
    field("category", prefer=REPORT_CATEGORY),
    field("code", prefer=REPORT),
    "subject",
    "encounter",
    "effective",
    "issued",
    field("performer", table="diagnostic_report_performer"),
    "resultsInterpreter",
    "specimen",
    field("result", table="diagnostic_report_result"),
    field("imagingStudy", plural="imaging_studies"),
    field("media", "comment", "link", plural="media", table="diagnostic_report_media"),
    field("conclusion", phi=True),
    field("conclusionCode", prefer=DIAGNOSIS),
    field("presentedForm", table="diagnostic_report_presented_form"),
)
