"""Bytes as a file that DuckDB can open by name, without patient data on a disk."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

Pieces = Sequence[bytes | memoryview]  # one behind the other
_AT_ONCE = 512  # pieces; Linux takes up to 1,024


class MemoryFile:
    """A file that holds one content after the other; on one thread.

    Linux keeps it in memory (``memfd_create``), so that nothing is left behind after a kill, and the next content is
    written over the last, into memory that is there already. Elsewhere a temporary file readable by its owner stands
    in.
    """

    def __init__(self) -> None:
        self._descriptor: int | None = None
        if hasattr(os, "memfd_create"):
            self._descriptor = os.memfd_create("clinmart", os.MFD_CLOEXEC)
            self._close = weakref.finalize(self, os.close, self._descriptor)  # with the thread that it belongs to

    @contextmanager
    def holding(self, data: bytes | memoryview | Pieces) -> Iterator[str]:
        """The path of the file with this content, until the block ends."""
        pieces = [data] if isinstance(data, bytes | memoryview) else data
        if self._descriptor is None:
            with _on_disk(pieces) as path:
                yield path
            return
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        os.ftruncate(self._descriptor, _write(self._descriptor, pieces))
        yield f"/proc/self/fd/{self._descriptor}"

    def close(self) -> None:
        """Give the memory back. Harmless when repeated."""
        if self._descriptor is not None:
            self._close()


@contextmanager
def memory_file(data: bytes | memoryview) -> Iterator[str]:
    """The path of a file with this content; it is gone when the block (or the process) ends."""
    file = MemoryFile()
    try:
        with file.holding(data) as path:
            yield path
    finally:
        file.close()


@contextmanager
def _on_disk(data: Pieces) -> Iterator[str]:
    descriptor, name = tempfile.mkstemp(prefix="clinmart-", suffix=".ndjson")
    try:
        _write(descriptor, data)
        os.close(descriptor)
        yield name
    finally:
        Path(name).unlink()


def _write(descriptor: int, pieces: Pieces) -> int:
    """Write all pieces; the number of their bytes."""
    total = 0
    for first in range(0, len(pieces), _AT_ONCE):
        some = pieces[first : first + _AT_ONCE]
        size = sum(map(len, some))
        total += size
        written = os.writev(descriptor, some)
        if written < size:  # a large piece in several goes
            rest = memoryview(b"".join(some))[written:]
            while rest:
                rest = rest[os.write(descriptor, rest) :]
    return total
