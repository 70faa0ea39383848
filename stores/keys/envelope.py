"""Envelopes: payloads by AES-256-GCM under data keys, each of which is wrapped by the keyring.

To destroy a data key (or the key that wraps it) destroys all that it sealed, wherever copies of that are.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from schemas.errors import IntegrityError
from stores.keys.key import SECRET_BYTES, Wrapped
from stores.keys.keys import Keys

_NONCE = 12  # bytes, NIST SP 800-38D 8.2.2: random
_MAGIC = b"CME1"


@dataclass(frozen=True, slots=True)
class DataKey:
    """A data key that is open. ``name`` says what it is of, e.g. a load; it is bound to the key and its payloads."""

    name: str
    wrapped: Wrapped
    secret: bytes = field(repr=False)


def new_data_key(keys: Keys, name: str) -> DataKey:
    """A new data key; keep its ``wrapped`` form where it can be destroyed."""
    secret = os.urandom(SECRET_BYTES)
    return DataKey(name, keys.wrap(secret, name.encode()), secret)


def open_data_key(keys: Keys, name: str, wrapped: Wrapped) -> DataKey:
    """The data key of ``name``. Raises IntegrityError when it is another's, was altered, or its key is gone."""
    return DataKey(name, wrapped, keys.unwrap(wrapped, name.encode()))


def seal(key: DataKey, payload: bytes, context: bytes = b"") -> bytes:
    """``payload`` sealed: 4 bytes of form, 12 of nonce, ciphertext, 16 of tag. ``context`` must be told to open it."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - late

    nonce = os.urandom(_NONCE)
    return _MAGIC + nonce + AESGCM(key.secret).encrypt(nonce, payload, _bound(key, context))


def unseal(key: DataKey, sealed: bytes, context: bytes = b"") -> bytes:
    """What was sealed. Raises IntegrityError when it was altered, or is of another key or context."""
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - late
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    begin = len(_MAGIC)
    try:
        if not is_sealed(sealed):
            raise InvalidTag
        nonce, rest = sealed[begin : begin + _NONCE], sealed[begin + _NONCE :]
        return AESGCM(key.secret).decrypt(nonce, rest, _bound(key, context))
    except (InvalidTag, ValueError):
        raise IntegrityError(f"what was sealed for {key.name} was altered, or is not of its key") from None


def is_sealed(data: bytes) -> bool:
    """Whether these bytes look like what :func:`seal` makes."""
    return data.startswith(_MAGIC)


def _bound(key: DataKey, context: bytes) -> bytes:
    name = key.name.encode()
    return len(name).to_bytes(4, "big") + name + context
