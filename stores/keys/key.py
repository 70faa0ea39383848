"""What a key is, and what keys make: tags, signatures and wrapped secrets, each with the id of its key."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

SECRET_BYTES = 32  # of every key: HMAC-SHA256, AES-256, and the seed of Ed25519 (RFC 8032 5.1.5)


class Purpose(StrEnum):
    """What a key is for. No key serves two purposes, so that what one gives away tells nothing of another."""

    SIGN = "sign"  # HMAC-SHA256 of landed and staged files
    MASK = "mask"  # HMAC-SHA256 tokens in place of identifiers
    PSEUDONYM = "pseudonym"  # HMAC-SHA256 ids of people in copies for analysts
    AUDIT = "audit"  # Ed25519 signatures of checkpoints and certificates
    WRAP = "wrap"  # AES-256-GCM of other keys
    DATABASE = "database"  # encryption of the mart's file
    SUPPRESS = "suppress"  # HMAC-SHA256 tokens of people who were erased, so that they do not come back


@dataclass(frozen=True, slots=True)
class Key:
    """One version of a purpose's key. ``secret`` (32 bytes) is in no representation of it."""

    key_id: str
    purpose: Purpose
    version: int
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What may be told of a key. Times are ISO 8601 in UTC; ``public`` is an Ed25519 key in hexadecimal."""

    key_id: str
    purpose: Purpose
    version: int
    made_at: str
    state: str  # current, old or destroyed
    destroyed_at: str | None = None
    public: str | None = None


@dataclass(frozen=True, slots=True)
class Tag:
    """An HMAC-SHA256 (RFC 2104): 32 bytes, and the id of the key that made it."""

    key_id: str
    tag: bytes


@dataclass(frozen=True, slots=True)
class Signature:
    """An Ed25519 signature (RFC 8032): 64 bytes, and the id of the key that made it."""

    key_id: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A secret under a key of purpose ``wrap``: nonce (12 bytes), ciphertext, tag (16 bytes) of AES-256-GCM."""

    key_id: str
    sealed: bytes
