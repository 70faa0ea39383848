"""Ids of rows: the first 128 bits of SHA-256 over length-prefixed UTF-8, so that no text can pass for two others."""

from __future__ import annotations

import hashlib

from transforms.decode.ccda.node import Node

_BYTES = 16


def row_id(label: str, *parts: str | None) -> str:
    """The id (32 hexadecimal digits) of the thing of this kind that the parts tell from others."""
    key = f"{len(label.encode())}:{label}"
    for part in parts:
        key += "-" if part is None else f"{len(part.encode())}:{part}"
    return hashlib.sha256(key.encode()).digest()[:_BYTES].hex()


def first_id(node: Node) -> tuple[str, str | None] | None:
    """Root and extension of the first id that is one."""
    for one in node.all("id"):
        root = one.get("root")
        if root and not one.null:
            return root, one.get("extension")
    return None
