"""The commits of a mart, written beside it: what a database that lost its log can no longer tell.

DuckDB opens a mart whose write-ahead log was cut short, or is gone, without a word, as if what was committed in it had
never been. So each commit is noted in `<mart>.tail` as well, with the files that it brought in, and compared on open.
The tail is JSON lines of the records below; it holds names and hashes of files, and nothing of a patient.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import msgspec

from schemas.errors import StorageError

KEPT = 400  # commits that a compacted tail holds
_BYTES = 8 * 1024 * 1024  # of a tail that is left alone; commits of many files are long


class TailReceipt(msgspec.Struct, frozen=True):
    """A partition that a commit brought in; ``sha256`` is hex, ``start`` and ``size`` are bytes of the file on disk."""

    uri: str
    start: int
    size: int
    sha256: str
    as_of: datetime
    as_of_given: bool


class Committed(msgspec.Struct, frozen=True, tag="commit"):
    """A commit; ``receipts`` are read only when :meth:`files` asks for them."""

    mart_id: str
    commit_id: str
    number: int
    load_id: str
    source: str
    committed_at: datetime
    options: dict[str, str]
    receipts: msgspec.Raw

    def files(self) -> list[TailReceipt]:
        """What it brought in."""
        return _FILES.decode(self.receipts)


class Settled(msgspec.Struct, frozen=True, tag="settled"):
    """Lost commits about which something was decided, in words."""

    mart_id: str
    commit_ids: list[str]
    said: str
    at: datetime


Entry: TypeAlias = Committed | Settled
_FILES = msgspec.json.Decoder(list[TailReceipt])
_ENTRY = msgspec.json.Decoder(Entry)
_ENCODER = msgspec.json.Encoder()


def raw_files(receipts: Sequence[TailReceipt]) -> msgspec.Raw:
    """Receipts as a :class:`Committed` holds them."""
    return msgspec.Raw(_ENCODER.encode(receipts))


class Tail:
    """The file beside the mart ``mart``. Any process may read it; only the holder of the loader's lock writes."""

    def __init__(self, mart: Path) -> None:
        self.path = mart.with_name(mart.name + ".tail")

    def read(self) -> list[Entry]:
        """All entries, the oldest first. A line that a crash cut short is passed over; no file is no entries.

        Raises StorageError when the system cannot read it.
        """
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._fault("read", error) from error
        entries: list[Entry] = []
        for line in lines:
            try:
                entries.append(_ENTRY.decode(line))
            except msgspec.DecodeError:
                continue
        return entries

    def append(self, entries: Sequence[Entry]) -> None:
        """Add entries; they are on disk when this returns. Raises StorageError."""
        data = b"".join(_ENCODER.encode(entry) + b"\n" for entry in entries)
        new = not self.path.exists()
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                size = os.fstat(descriptor).st_size
                torn = size and os.pread(descriptor, 1, size - 1) != b"\n"
                _write(descriptor, b"\n" + data if torn else data)
            finally:
                os.close(descriptor)
            if new:
                sync_folder(self.path.parent)
        except OSError as error:
            raise self._fault("written", error) from error

    def compact(self, entries: Sequence[Entry]) -> None:
        """Keep the newest of ``entries``, which are all there are, once the file is long; atomic.

        Raises StorageError.
        """
        try:
            if len(entries) < 2 * KEPT and self.path.stat().st_size < 2 * _BYTES:
                return
        except OSError as error:
            raise self._fault("written", error) from error
        kept = entries[-KEPT:]
        while len(kept) > 1 and sum(len(_ENCODER.encode(entry)) + 1 for entry in kept) > _BYTES:
            kept = kept[(len(kept) + 1) // 2 :]
        self.write(kept)

    def write(self, entries: Sequence[Entry]) -> None:
        """Put these entries in place of all; atomic. Raises StorageError."""
        try:
            fresh = self.path.with_name(self.path.name + ".new")
            descriptor = os.open(fresh, os.O_WRONLY | os.O_TRUNC | os.O_CREAT, 0o600)
            try:
                _write(descriptor, b"".join(_ENCODER.encode(entry) + b"\n" for entry in entries))
            finally:
                os.close(descriptor)
            fresh.replace(self.path)
            sync_folder(self.path.parent)
        except OSError as error:
            raise self._fault("written", error) from error

    def _fault(self, done: str, error: OSError) -> StorageError:
        return StorageError(f"{self.path} cannot be {done}: {error.strerror}")


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)
