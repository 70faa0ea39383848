"""A file that can be opened again and again: on disk, or in memory for tests."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from schemas.errors import IntegrityError, StorageError


@dataclass(frozen=True, slots=True)
class StoredFile:
    """``open`` returns the file from its first byte each time; ``uri`` names it in records and messages.

    ``etag``: what the store of an object calls the content that ``open`` gives; None for a file.
    """

    uri: str
    open: Callable[[], BinaryIO]
    etag: str | None = None


def local_file(uri: str) -> StoredFile:
    """The file at the path ``uri``."""
    return StoredFile(uri, partial(_open_local, uri))


def stamp(raw: BinaryIO) -> tuple[int, int]:
    """Size in bytes and time of change in ns of an open file (in memory: 0): equal stamps, same content."""
    try:
        status = os.fstat(raw.fileno())
    except io.UnsupportedOperation:
        here = raw.tell()
        size = raw.seek(0, os.SEEK_END)
        raw.seek(here)
        return size, 0
    return status.st_size, status.st_mtime_ns


@contextmanager
def storage_errors(uri: str) -> Iterator[None]:
    """Turn what the system says of a file into errors that name it."""
    try:
        yield
    except FileNotFoundError:
        raise IntegrityError(f"{uri}: was there when the load was planned and is gone now") from None
    except OSError as error:
        raise StorageError(f"{uri}: cannot be read: {error.strerror}; check the disk and the permissions") from None


def _open_local(uri: str) -> BinaryIO:
    return Path(uri).open("rb")
