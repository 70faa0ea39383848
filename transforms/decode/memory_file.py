"""Bytes as a file that DuckDB can open by name, without patient data on a disk."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
    def holding(self, data: bytes | memoryview) -> Iterator[str]:
        """The path of the file with this content, until the block ends."""
        if self._descriptor is None:
            with _on_disk(data) as path:
                yield path
            return
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        _write(self._descriptor, memoryview(data))
        os.ftruncate(self._descriptor, len(data))
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
def _on_disk(data: bytes | memoryview) -> Iterator[str]:
    descriptor, name = tempfile.mkstemp(prefix="clinmart-", suffix=".ndjson")
    try:
        _write(descriptor, memoryview(data))
        os.close(descriptor)
        yield name
    finally:
        Path(name).unlink()


def _write(descriptor: int, view: memoryview) -> None:
    while view:
        view = view[os.write(descriptor, view) :]
