"""The signatures of a landing folder: one line for each file as it lands, and a last one over all of them.

`SIGNATURES` holds JSON lines. The first names the landing by a random id. Each of the next has a file's name, size and
SHA-256, and the HMAC-SHA256 of these and of the landing's id; the last has that of all lines before it. So a file that
was altered, cut, renamed, left out, put in or brought from another landing is found.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from schemas.errors import IntegrityError, StorageError
from schemas.sealed import Sealed
from stores.keys import Keys, Purpose, Tag
from stores.tail import sync_folder

SIGNATURES_NAME = "SIGNATURES"
_LAYOUT = 1
_BLOCK = 1024 * 1024
_LABEL = b"clinmart landed file 1"  # what is signed, so that no other tag of the key fits
_END_LABEL = b"clinmart landing closed 1"


class _Begin(msgspec.Struct, forbid_unknown_fields=True):
    layout: int
    landing: str


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    size: int
    sha256: str
    key_id: str
    hmac: str


class _End(msgspec.Struct, forbid_unknown_fields=True):
    closed: int  # how many lines there are before
    key_id: str
    hmac: str


class LandingSignatures:
    """The signatures of ``folder`` by keys of purpose ``sign``; safe to use from several threads."""

    def __init__(self, folder: Path, keys: Keys) -> None:
        self._folder = folder
        self._keys = keys
        self._lock = threading.Lock()
        self._read: _Read | None = None

    def known(self, name: str) -> Sealed | None:
        """The file as it was signed. Raises IntegrityError when the signatures were altered."""
        with self._lock:
            return self._now().files.get(name)

    def add(self, file: Sealed) -> None:
        """Sign a file. Raises StorageError."""
        with self._lock:
            self._add(file)

    def close(self, beside: Sequence[Path]) -> None:
        """Sign the files ``beside`` the data, and all lines; a landing that is closed already is closed anew."""
        with self._lock:
            for path in beside:
                self._add(_sealed(path))
            read = self._now()
            self._append(_end(read.landing, read.lines, self._keys))

    def restart(self) -> None:
        """Forget all signatures. Raises StorageError."""
        with self._lock:
            self._read = None
            try:
                (self._folder / SIGNATURES_NAME).unlink(missing_ok=True)
            except OSError as error:
                raise self._fault(error) from error

    def _add(self, file: Sealed) -> None:
        self._append(_line(self._now().landing, file, self._keys))
        self._now().files[file.name] = file

    def _now(self) -> _Read:
        if self._read is None:
            path = self._folder / SIGNATURES_NAME
            data = _bytes(path)
            self._read = read = _parse(data, path, self._keys, torn=True)
            if b"".join(read.lines) != data:  # a line that a crash cut short, or an end after which more lands
                self._rewrite(b"".join(read.lines))
            if not read.lines:
                read.landing = secrets.token_hex(16)
                self._append(_begin(read.landing))
        return self._read

    def _append(self, line: bytes) -> None:
        assert self._read is not None
        self._rewrite(line, os.O_APPEND)
        self._read.lines.append(line)

    def _rewrite(self, data: bytes, how: int = os.O_TRUNC) -> None:
        path = self._folder / SIGNATURES_NAME
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how, 0o600)
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            sync_folder(self._folder)
        except OSError as error:
            raise self._fault(error) from error

    def _fault(self, error: OSError) -> StorageError:
        return StorageError(f"{self._folder / SIGNATURES_NAME}: cannot be written: {error.strerror}")


def signed_files(folder: Path, keys: Keys) -> Mapping[str, Sealed]:
    """By name the files of a landing that is whole, as they were signed.

    Raises IntegrityError when the signatures were altered, cut, or made by a key that ``keys`` does not have, and when
    the landing was not brought to its end.
    """
    path = folder / SIGNATURES_NAME
    read = _parse(_bytes(path), path, keys, torn=False)
    if not read.closed:
        raise IntegrityError(
            f"{path}: the signatures do not come to an end, so files may be missing; let the fetch end that began here"
        )
    return read.files


def _begin(landing: str) -> bytes:
    return msgspec.json.encode(_Begin(_LAYOUT, landing)) + b"\n"


def _line(landing: str, file: Sealed, keys: Keys) -> bytes:
    tag = keys.mac(Purpose.SIGN, _of_file(landing, file))
    return msgspec.json.encode(_Line(file.name, file.size, file.sha256, tag.key_id, tag.tag.hex())) + b"\n"


def _end(landing: str, lines: Sequence[bytes], keys: Keys) -> bytes:
    tag = keys.mac(Purpose.SIGN, _of_all(landing, b"".join(lines)))
    return msgspec.json.encode(_End(len(lines), tag.key_id, tag.tag.hex())) + b"\n"


class _Read:
    """What a file of signatures says: the lines that are whole and signed but for the end, and whether it ends."""

    def __init__(self) -> None:
        self.landing = ""
        self.lines: list[bytes] = []
        self.files: dict[str, Sealed] = {}
        self.closed = False


def _parse(data: bytes, path: Path, keys: Keys, *, torn: bool) -> _Read:
    """``torn``: a last line that a crash cut short is left out, and so are ends after which more landed."""
    read = _Read()
    for line in data.splitlines(keepends=True):
        if torn and not line.endswith(b"\n"):
            break
        if read.closed and not torn:
            raise _altered(path)
        try:
            if not read.lines:
                read.landing = msgspec.json.decode(line, type=_Begin).landing
                read.lines.append(line)
            elif line.startswith(b'{"closed"'):
                _check_end(msgspec.json.decode(line, type=_End), read, path, keys)
                read.closed = True
            else:
                _check_line(msgspec.json.decode(line, type=_Line), read, path, keys)
                read.lines.append(line)
        except (msgspec.DecodeError, ValueError):
            raise _altered(path) from None
    return read


def _check_line(line: _Line, read: _Read, path: Path, keys: Keys) -> None:
    file = Sealed(line.name, line.size, line.sha256)
    if not keys.verify(Purpose.SIGN, _of_file(read.landing, file), Tag(line.key_id, bytes.fromhex(line.hmac))):
        raise _altered(path)
    read.files[file.name] = file


def _check_end(end: _End, read: _Read, path: Path, keys: Keys) -> None:
    signed = _of_all(read.landing, b"".join(read.lines))
    right = keys.verify(Purpose.SIGN, signed, Tag(end.key_id, bytes.fromhex(end.hmac)))
    if not right or end.closed != len(read.lines):
        raise _altered(path)


def _of_file(landing: str, file: Sealed) -> bytes:
    told = json.dumps([landing, file.name, file.size, file.sha256])
    return _LABEL + told.encode()


def _of_all(landing: str, lines: bytes) -> bytes:
    return _END_LABEL + landing.encode() + hashlib.sha256(lines).digest()


def _sealed(path: Path) -> Sealed:
    """A file as it is, read in blocks; an absent one is empty."""
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                size += len(block)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror}") from None
    return Sealed(path.name, size, digest.hexdigest())


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror}") from None


def _altered(path: Path) -> IntegrityError:
    return IntegrityError(f"{path}: the signatures were altered, so nothing of this folder is loaded; fetch it again")
