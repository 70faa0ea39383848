"""``document_reference``: documents: what they are and where they lie (FHIR R4 2.42)."""

from __future__ import annotations

from schemas.declare import declare
from schemas.elements import field
from schemas.fields import ITEM_FIELDS
from schemas.systems import US_CORE
from schemas.tables.preferred import DOCUMENT_TYPE

_CATEGORY = (US_CORE.replace("StructureDefinition/", "CodeSystem/us-core-documentreference-category"),)

DOCUMENT_REFERENCE = declare(
    "DocumentReference",
    "Documents: what they are and where they lie. Their content itself is not in the mart.",
    "masterIdentifier",
    "identifier",
    "status",
    "docStatus",
    field("type", prefer=DOCUMENT_TYPE),
    field("category", prefer=_CATEGORY),
    "subject",
    "date",
    "author",
    "authenticator",
    "custodian",
    field("relatesTo", "code", "target", plural="relates_to", table="document_reference_relates_to"),
    field("description", phi=True),
    "securityLabel",
    field("content.attachment", name="attachment", label="First attachment"),
    field("content.format", name="content_format", label="Format of the first attachment"),
    field("content", field("attachment", *ITEM_FIELDS["Attachment"]), "format", table="document_reference_content"),
    field("context.encounter", name="context"),
    field("context.event", name="context_event"),
    field("context.period", name="context_period"),
    field("context.facilityType", name="facility_type"),
    field("context.practiceSetting", name="practice_setting"),
    field("context.sourcePatientInfo", name="source_patient_info"),
    field("context.related", name="related", plural="related_list"),
)
