"""Digests in headers."""

from __future__ import annotations

import base64
import hashlib

import pytest

from sources.bulk_export.digests import promised_digests

DATA = b"x"
S256, S512, MD5 = (base64.b64encode(hashlib.new(name, DATA).digest()).decode() for name in ("sha256", "sha512", "md5"))


@pytest.mark.parametrize(
    ("header", "value", "found"),
    [
        ("repr-digest", f"sha-256=:{S256}:", {"sha256"}),
        ("content-digest", f"sha-512=:{S512}:, sha-256=:{S256}:;x=1", {"sha256", "sha512"}),
        ("digest", f"SHA-256={S256},md5={MD5}", {"sha256", "md5"}),
        ("content-md5", MD5, {"md5"}),
        ("repr-digest", "unixsum=:AAAA:", set()),
        ("repr-digest", f"sha-256={S256}", set()),
        ("repr-digest", "sha-256=:AAAA:", set()),
        ("repr-digest", "sha-256=:%:", set()),
        ("digest", "rubbish", set()),
        ("content-md5", "?", set()),
        ("etag", f"sha-256=:{S256}:", set()),
    ],
)
def test_forms(header: str, value: str, found: set[str]) -> None:
    """All that are known and whole; what is not is no promise."""
    assert promised_digests({header: value}) == {name: hashlib.new(name, DATA).digest() for name in found}
