"""Files within documents: only what they are."""

from __future__ import annotations

import binascii
import hashlib

from transforms.decode.ccda.datatypes import Json, made
from transforms.decode.ccda.node import Node
from transforms.decode.ccda.reading import CUT


def attachment(node: Node) -> Json:
    """An ED that holds or names a file: its kind, size and SHA-1 (base64); the bytes themselves stay out."""
    reference = node.one("reference")
    fields: Json = {"contentType": node.get("mediaType"), "language": node.get("language")}
    if reference is not None and reference.get("value"):
        fields["url"] = reference.get("value")
    elif node.text.startswith(CUT):
        _, size, *sha1 = node.text.split(" ")
        fields |= {"size": int(size), "hash": sha1[0] if sha1 else None}
    elif node.text:
        data = node.text.encode()
        if node.get("representation") == "B64":
            try:
                data = binascii.a2b_base64(data)
            except binascii.Error:
                return made(fields)
        sha1_of = hashlib.sha1(data, usedforsecurity=False).digest()
        fields |= {"size": len(data), "hash": binascii.b2a_base64(sha1_of, newline=False).decode()}
    return made(fields)
