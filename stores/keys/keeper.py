"""Who keeps the secrets of a keyring: the file itself, or a key of AWS KMS that the file's secrets are wrapped by."""

from __future__ import annotations

import base64
import secrets
from typing import Protocol

from schemas.errors import IntegrityError
from stores.keys.key import SECRET_BYTES

LOCAL = "file"


class Keeper(Protocol):
    """Makes secrets, and gets back those that it made."""

    name: str  # as the keyring file tells it

    def make(self, key_id: str) -> tuple[bytes, str]:
        """A new secret of 32 bytes, and the text to keep of it."""

    def get(self, key_id: str, kept: str) -> bytes:
        """The secret of which ``kept`` was kept. Raises IntegrityError when that is not what was kept of this key."""


class FileKeeper:
    """The secrets stand in the file, in base64; its mode is what protects them."""

    name = LOCAL

    def make(self, key_id: str) -> tuple[bytes, str]:  # noqa: ARG002 - KMS binds it
        """From the system's random numbers."""
        secret = secrets.token_bytes(SECRET_BYTES)
        return secret, base64.b64encode(secret).decode()

    def get(self, key_id: str, kept: str) -> bytes:
        """As it stands there."""
        try:
            secret = base64.b64decode(kept, validate=True)
        except ValueError:
            secret = b""
        if len(secret) != SECRET_BYTES:
            raise IntegrityError(f"the key {key_id} is damaged in its keyring: put a copy of it back")
        return secret
