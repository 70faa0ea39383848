"""What a payload that cannot be decoded may say of who it is about: ids and identifiers, from where those stand.

Only such places are looked at, for a short identifier is anywhere else just a number.
"""

from __future__ import annotations

import re

_PATIENT = re.compile(rb"""Patient/([A-Za-z0-9\-.]{1,64})|urn:uuid:([0-9A-Fa-f\-]{36})""")
_OWN = re.compile(rb"""["']resourceType["']\s*:\s*["']Patient["']""")
_ID = re.compile(rb"""["']id["']\s*:\s*["']([A-Za-z0-9\-.]{1,64})["']""")
_VALUE = re.compile(rb"""["']value["']\s*:\s*["']([^"'\\]{1,200})["']""")
_SEGMENT = re.compile(rb"(?:^|[\r\n\x0b])(PID|MRG)(.)([^\r\n]*)")
_EXTENSION = re.compile(rb"""<(?:[\w.-]+:)?id\b[^>]*?\bextension\s*=\s*["']([^"']{1,200})["']""")
_FIELD = re.compile(rb'[^,;|\t\r\n"]{1,200}')
_PID = (2, 3, 4, 18)  # PID-2, 3, 4 (identifiers) and 18 (account); MRG-1 to 4 likewise (HL7 v2.9 3.4.2, 3.4.9)
_MRG = (1, 2, 3, 4)


def named_patients(payload: bytes) -> set[str]:
    """The ids of Patient resources that FHIR JSON, whole or damaged, names."""
    found = {(one or other).decode() for one, other in _PATIENT.findall(payload)}
    if _OWN.search(payload):
        found |= {one.decode() for one in _ID.findall(payload)}
    return found


def named_identifiers(payload: bytes, *, fields: bool = False) -> set[str]:
    """Values that stand where identifiers do: FHIR `value`, PID and MRG of HL7 v2, `id` of C-CDA; all ``fields`` of a
    line of separated values.
    """
    found = set(_VALUE.findall(payload)) | set(_EXTENSION.findall(payload))
    for name, separator, rest in _SEGMENT.findall(payload):
        parts = rest.split(separator)
        for number in _PID if name == b"PID" else _MRG:
            if number <= len(parts):
                found |= {one.split(b"^", 1)[0] for one in parts[number - 1].split(b"~")}
    if fields:
        found |= {one.strip() for one in _FIELD.findall(payload)}
    return {one.decode(errors="replace") for one in found if one}
