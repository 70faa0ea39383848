"""Note activities: DocumentReference (CF-notes). The mart holds what a note is, `document_section` what it says."""

from __future__ import annotations

import binascii
import hashlib

from transforms.decode.ccda.datatypes import Json, codings, concept, earliest, fixed, identifiers, made, period
from transforms.decode.ccda.draft import Draft, Kept
from transforms.decode.ccda.maps.attachments import attachment
from transforms.decode.ccda.maps.people import authors, practitioner
from transforms.decode.ccda.node import Node

_CATEGORY = "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category"
_NOTE = "34109-9"  # LOINC: note, which every note activity has; its translation says which


def note(draft: Draft, node: Node) -> bool:
    """A Note Activity."""
    text = node.one("text")
    if node.null or node.negated or text is None:
        draft.why = Kept.NEGATED if node.negated else Kept.NULL
        return False
    code = node.one("code")
    kinds = codings(code) if code is not None else []
    narrower = [one for one in kinds if one["code"] != _NOTE]
    by = authors(node)
    fields: Json = {
        "identifier": identifiers(node),
        "status": "current",
        "type": {"coding": narrower} if narrower else concept(code, draft.narrative),
        "category": [fixed(_CATEGORY, "clinical-note", "Clinical Note")],
        "subject": draft.subject(),
        "date": next((at for at in (earliest(by),) if at and len(at) > 8), None),
        "author": [one for each in by if (one := practitioner(draft, each.one("assignedAuthor")))],
        "content": [{"attachment": _content(draft, text)}],
        "context": made(
            {
                "period": period(node.one("effectiveTime")),
                "encounter": [{"reference": f"Encounter/{draft.encounter}"}] if draft.encounter else None,
            }
        ),
    }
    draft.add("DocumentReference", node, fields)
    draft.keep(node, Kept.NOTE, draft.narrative.of(text) if text.get("representation") != "B64" else None)
    return True


def media(draft: Draft, node: Node) -> bool:
    """An embedded picture or file: a DocumentReference with only its metadata."""
    value = node.one("value")
    if node.null or node.negated or value is None:
        draft.why = Kept.NULL
        return False
    fields: Json = {
        "identifier": identifiers(node),
        "status": "current",
        "subject": draft.subject(),
        "content": [{"attachment": attachment(value)}],
    }
    draft.add("DocumentReference", node, fields)
    return True


def _content(draft: Draft, text: Node) -> Json:
    """The file that it holds, else the size and hash of the narrative that it refers to."""
    if text.get("representation") == "B64" or text.get("mediaType"):
        return attachment(text)
    said = draft.narrative.of(text)
    if said is None:
        return attachment(text)
    data = said.encode()
    sha1 = hashlib.sha1(data, usedforsecurity=False).digest()
    hashed = binascii.b2a_base64(sha1, newline=False).decode()
    return {"contentType": "text/plain", "size": len(data), "hash": hashed}
