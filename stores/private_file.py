"""Files that are replaced whole, for their owner alone."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from schemas.errors import StorageError
from stores.tail import sync_folder


def replace_private(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path``, 0600 whatever the umask; it is on disk when this returns, and a crash leaves the old
    file or the new one. Raises StorageError.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
            write_all(descriptor, data)
        finally:
            os.close(descriptor)
        aside.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            aside.unlink()
        raise StorageError(f"{path} cannot be written: {error.strerror}") from None


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all of ``data``, and bring it to disk. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)
