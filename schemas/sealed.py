"""A file of a landing folder, as it was when it was signed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sealed:
    """Its name in the folder, its size in bytes and its SHA-256 in hexadecimal."""

    name: str
    size: int
    sha256: str
