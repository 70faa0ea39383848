"""What a mart does with its keys: tag, sign, wrap, rotate, destroy. Safe to use from several threads."""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
from typing import Any

from schemas.errors import IntegrityError, UsageError
from stores.keys.keeper import Keeper
from stores.keys.key import Key, KeyFacts, Purpose, Signature, Tag, Wrapped
from stores.keys.ring import Kept, Ring
from stores.keys.ring_file import RingFile

_NONCE = 12  # bytes, NIST SP 800-38D 8.2.2: random


class Keys:
    """The keys of one keyring; use :func:`stores.keys.open_keys`.

    Another process may rotate meanwhile: what is asked for is looked up in the keyring as it is now. Errors name ids
    of keys and never their secrets.
    """

    def __init__(self, file: RingFile, keeper: Keeper) -> None:
        self._file = file
        self._keeper = keeper
        self._lock = threading.RLock()
        self._stamp = file.stamp()
        self._ring = Ring.parse(file.read(), str(file.path))
        self._secrets: dict[str, bytes] = {}

    def __getstate__(self) -> dict[str, object]:
        """What another process needs to open the same keyring; no secret."""
        return {"path": self._file.path, "keeper": self._keeper}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(RingFile(state["path"]), state["keeper"])  # type: ignore[misc] # all there is to opening it

    @property
    def where(self) -> str:
        """Where they are: the file's path, and the KMS key if there is one."""
        path = str(self._file.path)
        return path if self._ring.keeper == "file" else f"{self._ring.keeper} with {path}"

    def current(self, purpose: Purpose) -> Key:
        """The newest key of a purpose, which is made when there is none yet."""
        with self._lock:
            kept = self._now().current(purpose)
            if kept is None:
                return self.rotate(purpose)
            return self._key(kept)

    def find(self, key_id: str, purpose: Purpose) -> Key:
        """The key of that id.

        Raises IntegrityError when the keyring has no such key of that purpose, or it was destroyed.
        """
        with self._lock:
            kept = self._now().find(key_id)
            if kept is None or kept.purpose is not purpose:
                raise IntegrityError(
                    f"the keyring {self.where} has no key {key_id[:60]!r} for {purpose}: give the mart's with --keys"
                )
            return self._key(kept)

    def all_of(self, purpose: Purpose) -> list[Key]:
        """All keys of a purpose that are not destroyed, newest first."""
        with self._lock:
            return [self._key(kept) for kept in self._now().of(purpose)]

    def mac(self, purpose: Purpose, data: bytes) -> Tag:
        """The HMAC-SHA256 of ``data`` by the purpose's current key."""
        key = self.current(purpose)
        return Tag(key.key_id, hmac.digest(key.secret, data, hashlib.sha256))

    def start(self, purpose: Purpose, key_id: str | None = None) -> tuple[str, hmac.HMAC]:
        """An HMAC-SHA256 to be fed with data, by that key, or the current one, whose id is told.

        Raises IntegrityError when the key is not there.
        """
        key = self.current(purpose) if key_id is None else self.find(key_id, purpose)
        return key.key_id, hmac.new(key.secret, digestmod=hashlib.sha256)

    def verify(self, purpose: Purpose, data: bytes, tag: Tag) -> bool:
        """Whether ``tag`` is that of ``data``. Raises IntegrityError when its key is not there."""
        key = self.find(tag.key_id, purpose)
        return hmac.compare_digest(hmac.digest(key.secret, data, hashlib.sha256), tag.tag)

    def sign(self, data: bytes) -> Signature:
        """The Ed25519 signature of ``data`` by the current key of purpose ``audit``."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - late

        key = self.current(Purpose.AUDIT)
        return Signature(key.key_id, Ed25519PrivateKey.from_private_bytes(key.secret).sign(data))

    def verify_signature(self, data: bytes, signature: Signature) -> bool:
        """Whether ``signature`` is that of ``data``; also by a destroyed key, for its public one stays."""
        return verify_ed25519(self.public_key(signature.key_id), data, signature.signature)

    def public_key(self, key_id: str) -> bytes:
        """The Ed25519 public key (32 bytes) of a key of purpose ``audit``. Raises IntegrityError for another."""
        with self._lock:
            kept = self._now().find(key_id)
        if kept is None or kept.public is None:
            raise IntegrityError(f"the keyring {self.where} has no key {key_id[:60]!r} that signs: give the mart's")
        return bytes.fromhex(kept.public)

    def wrap(self, secret: bytes, context: bytes = b"") -> Wrapped:
        """``secret`` by AES-256-GCM under the current key of purpose ``wrap``; ``context`` is needed to unwrap it."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - late

        key = self.current(Purpose.WRAP)
        nonce = os.urandom(_NONCE)
        return Wrapped(key.key_id, nonce + AESGCM(key.secret).encrypt(nonce, secret, context))

    def unwrap(self, wrapped: Wrapped, context: bytes = b"") -> bytes:
        """What was wrapped. Raises IntegrityError when it was altered, or its key is not there or was destroyed."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - late
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        key = self.find(wrapped.key_id, Purpose.WRAP)
        try:
            return AESGCM(key.secret).decrypt(wrapped.sealed[:_NONCE], wrapped.sealed[_NONCE:], context)
        except (InvalidTag, ValueError):
            raise IntegrityError(f"what the key {wrapped.key_id} wraps was altered") from None

    def rotate(self, purpose: Purpose) -> Key:
        """A new key of a purpose, which is its current one from now on; the old ones still verify and open."""
        with self._lock, self._file.changing():
            ring = self._now().with_new(purpose, self._keeper)
            self._file.replace(ring.encode())
            kept = self._now().current(purpose)
            assert kept is not None
            return self._key(kept)

    def destroy(self, key_id: str) -> KeyFacts:
        """Destroy a key's secret for good: what it alone opens cannot be read any more. That it was there stays.

        Raises UsageError when there is no such key, or it is the current one of its purpose: rotate first.
        """
        with self._lock, self._file.changing():
            ring = self._now()
            kept = ring.find(key_id)
            if kept is None:
                raise UsageError(f"the keyring {self.where} has no key {key_id[:60]!r}: see clinmart key list")
            if kept.secret is not None:
                if kept == ring.current(kept.purpose):
                    raise UsageError(f"{key_id} is the current key for {kept.purpose}: rotate {kept.purpose} first")
                self._file.replace(ring.without(key_id).encode(), wipe=True)
                self._secrets.pop(key_id, None)
            return next(facts for facts in self._now().facts() if facts.key_id == key_id)

    def describe(self) -> list[KeyFacts]:
        """All keys, oldest first, without their secrets."""
        with self._lock:
            return self._now().facts()

    def _now(self) -> Ring:
        """The keyring as it is now."""
        stamp = self._file.stamp()
        if stamp != self._stamp:
            self._ring = Ring.parse(self._file.read(), str(self._file.path))
            self._stamp = stamp
        return self._ring

    def _key(self, kept: Kept) -> Key:
        if kept.secret is None:
            self._secrets.pop(kept.key_id, None)
            raise IntegrityError(f"the key {kept.key_id} was destroyed at {kept.destroyed_at}: what it made is lost")
        secret = self._secrets.get(kept.key_id)
        if secret is None:
            secret = self._secrets[kept.key_id] = self._keeper.get(kept.key_id, kept.secret)
        return Key(kept.key_id, kept.purpose, kept.version, secret)


def verify_ed25519(public: bytes, data: bytes, signature: bytes) -> bool:
    """Whether ``signature`` is that of ``data`` by the key pair of ``public`` (RFC 8032); no keyring is needed."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - late
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True
