"""A resource of a Bundle by itself: what the Bundle said of it is kept beside it, and put back when it is read."""

from __future__ import annotations

import re

import msgspec

from transforms.decode.careful import lacks_id

_REFERENCE = re.compile(r'"reference"\s*:\s*"([^"\\]+)"')
_SELF = "urn:clinmart:self"


class _Resource(msgspec.Struct):
    resourceType: str = ""
    id: str = ""


_RESOURCE = msgspec.json.Decoder(_Resource)


def resolved_text(payload: bytes, text: str) -> str | None:
    """The text of a line where it is more than its payload: references and id as its Bundle says; else None."""
    try:
        sent = payload.decode()
    except UnicodeDecodeError:
        return None  # its text differs because it has no right one
    meant = text.removesuffix("\n")
    return None if meant == sent.replace("\n", " ") else meant


def entry_of(payload: bytes, resolved: str) -> tuple[bytes, dict[str, str]]:
    """The payload as an entry of a Bundle, and the references of that Bundle that make ``resolved`` of it again."""
    sent, meant = _REFERENCE.findall(payload.decode()), _REFERENCE.findall(resolved)
    pairs = zip(sent, meant, strict=True) if len(sent) == len(meant) else ()
    references = {before: after for before, after in pairs if before != after}
    if lacks_id(payload):
        known = _RESOURCE.decode(resolved)
        if known.id:
            references[_SELF] = f"{known.resourceType}/{known.id}"
    return b'{"fullUrl":"' + _SELF.encode() + b'","resource":' + payload + b"}", references
