"""The file of a keyring: readable by its owner alone, replaced whole, one writer at a time."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import StorageError, UsageError
from stores.private_file import replace_private, write_all

_LARGEST = 16 * 1024 * 1024  # bytes of a keyring
_MODE = 0o600


class RingFile:
    """The keyring at ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.realpath(path))  # what a link names is replaced, not the link

    def exists(self) -> bool:
        """Whether there is one. Raises StorageError when that cannot be told."""
        try:
            self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise self._fault("read", error) from None
        return True

    def stamp(self) -> tuple[int, int, int]:
        """Changes with each replacement: inode, size, time of change in ns; zeros when there is no file."""
        try:
            found = self.path.stat()
        except OSError:
            return (0, 0, 0)
        return (found.st_ino, found.st_size, found.st_mtime_ns)

    def read(self) -> bytes:
        """Its bytes. Raises UsageError when it is not there, or others than its owner may read it."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise UsageError(
                f"there is no keyring {self.path}: name the mart's with --keys, or make one with clinmart key init"
            ) from None
        except OSError as error:
            raise self._fault("read", error) from None
        with os.fdopen(descriptor, "rb") as file:
            self._must_be_private(os.fstat(descriptor))
            try:
                return file.read(_LARGEST)
            except OSError as error:
                raise self._fault("read", error) from None

    def _must_be_private(self, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise UsageError(f"the keyring {self.path} is no file: name a file")
        if found.st_mode & 0o077:
            raise UsageError(
                f"the keyring {self.path} has mode {stat.S_IMODE(found.st_mode):04o}, so others can reach it: "
                "chmod 600 it"
            )
        if found.st_uid not in (os.geteuid(), 0):
            raise UsageError(f"the keyring {self.path} belongs to another user: let its owner be who runs clinmart")

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold off other writers, of this process and of others. Raises StorageError."""
        try:  # the folder itself is what is locked, so that no other file is left beside the keyring
            descriptor = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self._fault("written", error) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def replace(self, data: bytes, *, wipe: bool = False) -> None:
        """Put ``data`` in its place; it is on disk when this returns. Raises StorageError.

        ``wipe`` overwrites the bytes that were there. What a file system, a disk or a backup copied of them stays.
        """
        try:
            old = os.open(self.path, os.O_RDWR | os.O_CLOEXEC) if wipe else None
        except OSError as error:
            raise self._fault("written", error) from None
        try:
            replace_private(self.path, data)
            if old is not None:
                write_all(old, b"\0" * os.fstat(old).st_size)
        except OSError as error:
            raise self._fault("written", error) from None
        finally:
            if old is not None:
                os.close(old)

    def _fault(self, done: str, error: OSError) -> StorageError:
        return StorageError(f"the keyring {self.path} cannot be {done}: {error.strerror}")
