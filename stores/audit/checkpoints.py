"""Checkpoints: the head of the Merkle tree over all records of a trail, signed with Ed25519 (RFC 8032).

What a trail holds below a checkpoint cannot be changed, taken away or put in another order without the checkpoint
telling. One that is kept where the trail's writers cannot change it proves the same even against them.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from schemas.errors import IntegrityError, StorageError
from stores.audit.head import Head
from stores.audit.record import canonical_line

if TYPE_CHECKING:
    from stores.keys import Keys

_CONTEXT = b"clinmart audit checkpoint 1\n"  # so that no other signature passes for one


class Checkpoint(msgspec.Struct, frozen=True):
    """The head of a tree of ``size`` records: ``root``, ``public`` (the key) and ``signature`` are hexadecimal."""

    trail: str
    size: int
    root: str
    at: str
    key: str
    public: str
    signature: str

    @property
    def signed(self) -> bytes:
        """The bytes that the signature is of."""
        return _CONTEXT + canonical_line({"trail": self.trail, "size": self.size, "root": self.root, "at": self.at})

    def encode(self) -> bytes:
        """As it is kept: a line of JSON."""
        return canonical_line(msgspec.structs.asdict(self)) + b"\n"

    @classmethod
    def decode(cls, data: bytes, where: str) -> Checkpoint:
        """What :meth:`encode` made. Raises IntegrityError for anything else."""
        try:
            found = msgspec.json.decode(data, type=cls)
        except msgspec.DecodeError:
            raise IntegrityError(f"{where} is no checkpoint of an audit trail, or was altered") from None
        if found.encode() != data:
            raise IntegrityError(f"{where} is not written as checkpoints are: it was altered")
        return found

    def fault(self, keys: Keys) -> str | None:
        """What is wrong with the signature, in words; None: it is by the audit key that it names."""
        from stores.keys.keys import verify_ed25519  # noqa: PLC0415 - late

        try:
            public = keys.public_key(self.key)
        except IntegrityError:
            return f"is signed by {self.key[:60]!r}, which the keyring does not have"
        try:
            signature = bytes.fromhex(self.signature)
        except ValueError:
            signature = b""
        if public.hex() != self.public or not verify_ed25519(public, self.signed, signature):
            return "has a signature that is not of what it says"
        return None


class Checkpoints:
    """``checkpoints.jsonl`` in the folder of a trail."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "checkpoints.jsonl"

    def sign(self, head: Head, keys: Keys) -> Checkpoint:
        """Sign and keep the head of a trail. Raises StorageError, and what keys raise."""
        at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        made = Checkpoint(head.trail, head.n, head.frontier.root().hex(), at, "", "", "")
        signature = keys.sign(made.signed)
        made = msgspec.structs.replace(
            made,
            key=signature.key_id,
            public=keys.public_key(signature.key_id).hex(),
            signature=signature.signature.hex(),
        )
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                os.fchmod(descriptor, 0o600)
                os.write(descriptor, made.encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StorageError(f"{self.path} cannot be written: {error.strerror}") from error
        return made

    def read(self) -> list[Checkpoint | str]:
        """All that are there, in their order; of a line that is none, what is wrong with it.

        The last line may be what a crash left of one: it is passed over.
        """
        try:
            lines = self.path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StorageError(f"{self.path} cannot be read: {error.strerror}") from error
        found: list[Checkpoint | str] = []
        for number, line in enumerate(lines, 1):
            if number == len(lines) and not line.endswith(b"\n"):
                break
            try:
                found.append(Checkpoint.decode(line, f"line {number} of {self.path}"))
            except IntegrityError as error:
                found.append(str(error))
        return found
