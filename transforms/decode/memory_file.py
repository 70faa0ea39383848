"""Bytes as a file that DuckDB can open by name, without patient data on a disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def memory_file(data: bytes | memoryview) -> Iterator[str]:
    """The path of an anonymous file with this content; it is gone when the block (or the process) ends.

    Linux keeps it in memory (``memfd_create``), so that nothing is left behind after a kill; elsewhere a temporary
    file readable by its owner stands in.
    """
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("clinmart", os.MFD_CLOEXEC)
        try:
            _write(descriptor, memoryview(data))
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
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
