"""Staged files between their writer and the commit: signed when they are written, verified before they are read.

A signature covers the load, the name of the file and its bytes, and goes its own way to the commit, in memory. So a
file that was altered, cut, put in another's place or taken from another load is found.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import IntegrityError, StorageError
from schemas.staged import FileSignature
from stores.keys import Keys, Purpose
from stores.keys.envelope import new_data_key, open_data_key
from stores.sealed_blocks import seal_blocks
from stores.sealed_path import path_of

_BLOCK = 1024 * 1024
_LABEL = b"clinmart staged file 1"  # what is signed, so that no other tag of the key fits


@dataclass(frozen=True, slots=True)
class Verified:
    """Files that were verified, as they were then: by path device, inode, size and times of change in ns."""

    states: Mapping[str, tuple[int, ...]]

    def without(self, paths: Iterable[str]) -> Verified:
        """The others."""
        gone = set(paths)
        return Verified({path: state for path, state in self.states.items() if path not in gone})

    def must_hold(self) -> None:
        """IntegrityError when one was written to, replaced or removed since.

        The system moves a file's time of change with every write, and lets nobody but root set it.
        """
        for path, state in self.states.items():
            if _state_of(path) != state:
                raise _altered(path)


class StagedFiles:
    """Signs and verifies the files of one load with keys of purpose ``sign``; without ``keys`` does neither.

    ``seal``: the files are encrypted too, by a key of this load, which nobody has once the load is over.
    """

    def __init__(self, load_id: str, keys: Keys | None, *, seal: bool = False) -> None:
        self._load_id = load_id
        self._keys = keys
        self.data_key = new_data_key(keys, load_id) if seal and keys is not None else None

    def __getstate__(self) -> dict[str, object]:
        """For another process, which opens the keyring; no secret."""
        wrapped = None if self.data_key is None else self.data_key.wrapped
        return {"load_id": self._load_id, "keys": self._keys, "wrapped": wrapped}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._load_id, self._keys, wrapped = state["load_id"], state["keys"], state["wrapped"]
        self.data_key = None if wrapped is None else open_data_key(state["keys"], self._load_id, wrapped)

    def write(self, path: Path, data: bytes | memoryview, *, plain: bool = False) -> FileSignature | None:
        """Write a new file that its owner alone can read; what is signed is what was given, not what the disk has.

        ``plain``: do not encrypt it. Raises OSError.
        """
        if self.data_key is not None and not plain:
            data = b"".join(seal_blocks(self.data_key.secret, path.name.encode(), data))
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        finally:
            os.close(descriptor)
        if self._keys is None:
            return None
        key_id, digest = self._keys.start(Purpose.SIGN)
        self._begin(digest, path)
        digest.update(data)
        return FileSignature(key_id, digest.digest())

    def verify(self, paths: Iterable[str], signatures: Mapping[str, FileSignature]) -> Verified:
        """The files as they are, when they are what was signed.

        Raises IntegrityError when one has another signature, none or is gone, StorageError when it cannot be read.
        """
        if self._keys is None:
            return Verified({})
        return Verified({path: self._verify(path, signatures.get(path)) for path in paths})

    def _verify(self, path: str, signature: FileSignature | None) -> tuple[int, ...]:
        if signature is None or self._keys is None:
            raise IntegrityError(f"the staged file {path} has no signature: nothing of this commit is loaded")
        state = _state_of(path)
        _, digest = self._keys.start(Purpose.SIGN, signature.key_id)
        self._begin(digest, path_of(path))
        try:
            with path_of(path).open("rb") as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
        except OSError as error:
            raise StorageError(f"the staged file {path} cannot be read: {error.strerror}") from error
        if not hmac.compare_digest(digest.digest(), signature.tag):
            raise _altered(path)
        return state

    def _begin(self, digest: hmac.HMAC, path: Path) -> None:
        for part in (_LABEL, self._load_id.encode(), path.name.encode()):
            digest.update(len(part).to_bytes(4, "big") + part)


def _state_of(path: str) -> tuple[int, ...]:
    try:
        found = path_of(path).stat()
    except FileNotFoundError:
        raise _altered(path) from None
    except OSError as error:
        raise StorageError(f"the staged file {path} cannot be read: {error.strerror}") from error
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _altered(path: str) -> IntegrityError:
    return IntegrityError(
        f"the staged file {path} is not what was written: nothing of this commit is loaded. Load again, and find out "
        "who writes there"
    )
