"""``document_reference``: documents: what they are and where they lie (FHIR R4 DocumentReference)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.systems import LOINC
from schemas.table import Table

DOCUMENT_REFERENCE = Table(
    name="document_reference",
    resource_type="DocumentReference",
    description="Documents: what they are and where they lie.",
    elements=build(
        "DocumentReference",
        (
            *STANDARD,
            "masterIdentifier",
            "identifier",
            "status",
            "docStatus",
            field("type", prefer=(LOINC,)),
            "category",
            "subject",
            "date",
            "author",
            "authenticator",
            "custodian",
            field("relatesTo", "code", "target", name="relates_to"),
            "description",
            "securityLabel",
            field("content.attachment"),
            field("content.format"),
            field("content", "attachment", "format", table="document_reference_content"),
            field("context.encounter"),
            field("context.event"),
            field("context.period"),
            field("context.facilityType"),
            field("context.practiceSetting"),
            field("context.sourcePatientInfo"),
            field("context.related"),
        ),
    ),
)
