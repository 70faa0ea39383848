"""Small documents for tests, written by hand."""

from __future__ import annotations

import json
from typing import Any

from transforms.decode.ccda.document import read_document
from transforms.decode.ccda.draft import Draft

NAMESPACES = (
    'xmlns="urn:hl7-org:v3" xmlns:sdtc="urn:hl7-org:sdtc" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)
CCDA = "2.16.840.1.113883.10.20.22.4."
LOINC, SNOMED, RXNORM = "2.16.840.1.113883.6.1", "2.16.840.1.113883.6.96", "2.16.840.1.113883.6.88"


def document(*sections: str, header: str = "", at: str = "20240301120000+0000", version: str = "") -> bytes:
    """A document of one patient; ``header`` comes before the body."""
    body = "".join(f"<component>{section}</component>" for section in sections)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><ClinicalDocument {NAMESPACES}>'
        '<id root="1.2.3" extension="doc"/>'
        f'<code code="34133-9" codeSystem="{LOINC}"/><title>Summary</title><effectiveTime value="{at}"/>'
        f'{version}<recordTarget><patientRole><id root="1.2.4" extension="p1"/><addr use="HP"><city>Town</city></addr>'
        "<patient><name><given>Jane</given><family>Doe</family></name>"
        '<administrativeGenderCode code="F"/><birthTime value="19800102"/></patient></patientRole></recordTarget>'
        f"{header}<component><structuredBody>{body}</structuredBody></component></ClinicalDocument>"
    ).encode()


def section(code: str, *entries: str, text: str = "") -> str:
    """A section with this LOINC code and narrative."""
    held = "".join(f"<entry>{entry}</entry>" for entry in entries)
    return f'<section><code code="{code}" codeSystem="{LOINC}"/><title>T</title><text>{text}</text>{held}</section>'


def result(value: str, more: str = "", attributes: str = "", name: str = "r1", code: str = "2345-7") -> str:
    """A result observation."""
    return (
        f'<observation classCode="OBS" moodCode="EVN" {attributes}><templateId root="{CCDA}2"/>'
        f'<id root="1.2.5" extension="{name}"/><code code="{code}" codeSystem="{LOINC}" displayName="Glucose"/>'
        f'<statusCode code="completed"/><effectiveTime value="20240301"/>{value}{more}</observation>'
    )


def problem(value: str, attributes: str = "", time: str = "", more: str = "") -> str:
    """A problem concern with one problem."""
    return (
        f'<act classCode="ACT" moodCode="EVN"><templateId root="{CCDA}3" extension="2015-08-01"/>'
        '<statusCode code="active"/><entryRelationship typeCode="SUBJ">'
        f'<observation classCode="OBS" moodCode="EVN" {attributes}><templateId root="{CCDA}4"/>'
        f'<id root="1.2.6" extension="c1"/><statusCode code="completed"/>{time}{value}{more}'
        "</observation></entryRelationship></act>"
    )


def coded(code: str, system: str = SNOMED, element: str = "value", more: str = "") -> str:
    """A coded value."""
    kind = 'xsi:type="CD" ' if element == "value" else ""
    return f'<{element} {kind}code="{code}" codeSystem="{system}" displayName="D">{more}</{element}>'


def rows(draft: Draft, kind: str) -> list[dict[str, Any]]:
    """The resources of a type."""
    return [json.loads(row.data) for row in draft.rows if row.resource_type == kind]


def only(data: bytes, kind: str) -> dict[str, Any]:
    """The only resource of a type that a document makes."""
    (found,) = rows(read_document(data), kind)
    return found
