"""Digests that a server sends with a file (RFC 9530, its forerunner RFC 3230, and ``Content-MD5``)."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

DIGEST_HEADERS = ("repr-digest", "content-digest", "digest", "content-md5")
_HASHES = {"sha-256": ("sha256", 32), "sha-512": ("sha512", 64), "md5": ("md5", 16)}
_NEW = re.compile(r"\s*([a-z0-9-]+)\s*=\s*:([A-Za-z0-9+/=]*):\s*(?:;[^,]*)?")  # RFC 8941 3.2: a dictionary of bytes
_OLD = re.compile(r"\s*([A-Za-z0-9-]+)\s*=\s*([A-Za-z0-9+/=]+)\s*")


def promised_digests(headers: Mapping[str, str]) -> dict[str, bytes]:
    """By the name that hashlib gives to the hash, what it must be; algorithms that we do not know are left out.

    ``headers`` by lower-case name.
    """
    found: dict[str, bytes] = {}
    for name in DIGEST_HEADERS:
        value = headers.get(name)
        if value is None:
            continue
        if name == "content-md5":
            pairs = [("md5", value.strip())]
        else:
            form = _OLD if name == "digest" else _NEW
            pairs = [(m[1].lower(), m[2]) for part in value.split(",") if (m := form.fullmatch(part))]
        for algorithm, text in pairs:
            known = _HASHES.get(algorithm)
            digest = _bytes(text)
            if known is not None and len(digest) == known[1]:
                found[known[0]] = digest
    return found


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""
