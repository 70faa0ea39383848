"""The keyring as it is kept: which keys there are, and their secrets as their keeper gives them out of hand."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import msgspec

from schemas.errors import IntegrityError, UsageError
from stores.keys.keeper import Keeper
from stores.keys.key import KeyFacts, Purpose

_LAYOUT = 1


class Kept(msgspec.Struct, frozen=True):
    """One key in the file. ``secret`` is null once it is destroyed; ``public`` is an Ed25519 key in hexadecimal."""

    key_id: str
    purpose: Purpose
    version: int
    made_at: str
    secret: str | None
    destroyed_at: str | None = None
    public: str | None = None


class _File(msgspec.Struct):
    layout: int
    keeper: str
    keys: list[Kept]


@dataclass(frozen=True, slots=True)
class Ring:
    """The keys of a keyring, oldest first. Immutable: a change makes another one."""

    keeper: str
    keys: Sequence[Kept] = ()

    @classmethod
    def parse(cls, data: bytes, where: str) -> Ring:
        """The keyring in ``data``. Raises IntegrityError when it is none; its bytes are in no message."""
        try:
            found = msgspec.json.decode(data, type=_File)
        except msgspec.DecodeError:
            raise IntegrityError(f"{where} is damaged or no keyring: put a copy of it back") from None
        if found.layout != _LAYOUT:
            raise UsageError(f"{where} has layout {found.layout}, this clinmart reads {_LAYOUT}: use a newer clinmart")
        if len({key.key_id for key in found.keys}) != len(found.keys):
            raise IntegrityError(f"{where} names a key twice: put a copy of it back")
        return cls(found.keeper, found.keys)

    def encode(self) -> bytes:
        """The bytes of the file."""
        return msgspec.json.format(msgspec.json.encode(_File(_LAYOUT, self.keeper, list(self.keys))), indent=1) + b"\n"

    def find(self, key_id: str) -> Kept | None:
        """The key of that id."""
        return next((key for key in self.keys if key.key_id == key_id), None)

    def current(self, purpose: Purpose) -> Kept | None:
        """The newest key of a purpose."""
        return max((key for key in self.keys if key.purpose == purpose), key=lambda key: key.version, default=None)

    def of(self, purpose: Purpose) -> list[Kept]:
        """The keys of a purpose that are not destroyed, newest first."""
        alive = [key for key in self.keys if key.purpose == purpose and key.secret is not None]
        return sorted(alive, key=lambda key: -key.version)

    def with_new(self, purpose: Purpose, keeper: Keeper) -> Ring:
        """With one more version of a purpose's key."""
        before = self.current(purpose)
        version = 1 if before is None else before.version + 1
        # Random, so that no two keyrings name different keys alike: a wrong keyring is then told from a wrong tag.
        key_id = f"{purpose}-{version}-{secrets.token_hex(4)}"
        secret, kept = keeper.make(key_id)
        public = _public(secret) if purpose is Purpose.AUDIT else None
        new = Kept(key_id, purpose, version, _now(), kept, public=public)
        return replace(self, keys=[*self.keys, new])

    def without(self, key_id: str) -> Ring:
        """With that key's secret gone; that it was there stays."""
        return replace(
            self,
            keys=[
                msgspec.structs.replace(key, secret=None, destroyed_at=_now()) if key.key_id == key_id else key
                for key in self.keys
            ],
        )

    def facts(self) -> list[KeyFacts]:
        """What may be told of all keys."""
        return [
            KeyFacts(
                key.key_id,
                key.purpose,
                key.version,
                key.made_at,
                "destroyed" if key.secret is None else "current" if key is self.current(key.purpose) else "old",
                key.destroyed_at,
                key.public,
            )
            for key in self.keys
        ]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _public(seed: bytes) -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - only when made

    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw().hex()
