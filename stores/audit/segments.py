"""The files of a trail: `000001.jsonl` and on, 0600, in a folder that is 0700; lines are only ever added."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from schemas.errors import IntegrityError, StorageError
from stores.tail import sync_folder

SEGMENT_BYTES = 16 * 1024 * 1024  # after which the next file is begun
_NAME = re.compile(r"([0-9]{6,})\.jsonl")


class Segments:
    """The folder of a trail. Appending needs :meth:`locked`; any process may read."""

    def __init__(self, folder: Path, size: int = SEGMENT_BYTES) -> None:
        self.folder = folder
        self.size = size

    def numbers(self) -> list[int]:
        """The numbers of the segments that are there, ascending. Raises StorageError."""
        try:
            names = [path.name for path in self.folder.iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self.fault("read", error) from error
        return sorted(int(found[1]) for name in names if (found := _NAME.fullmatch(name)) is not None)

    def path(self, number: int) -> Path:
        """The file of a segment."""
        return self.folder / f"{number:06d}.jsonl"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold off other writers, of this process and of others; makes the folder. Raises StorageError."""
        descriptor = self._lock()
        try:
            yield
        finally:
            os.close(descriptor)

    def _lock(self) -> int:
        """The lock file, locked; of the folder that is there then, should it be set aside meanwhile."""
        path = self.folder / "lock"
        while True:
            try:
                self.folder.mkdir(mode=0o700, exist_ok=True)
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise self.fault("written", error) from error
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with suppress(OSError):
                if os.path.samestat(os.fstat(descriptor), path.stat()):
                    return descriptor
            os.close(descriptor)

    def length(self, number: int) -> int:
        """Bytes of a segment; 0 when it is not there."""
        try:
            return self.path(number).stat().st_size
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise self.fault("read", error) from error

    def lines(self, number: int, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """The lines of a segment with their line ends, from byte ``start`` on, each with the byte behind it."""
        try:
            with self.path(number).open("rb") as file:
                file.seek(start)
                for line in file:
                    start += len(line)
                    yield start, line
        except FileNotFoundError:
            return
        except OSError as error:
            raise self.fault("read", error) from error

    def append(self, number: int, line: bytes, end: int) -> None:
        """Add a line behind byte ``end``; it is on disk when this returns. What fails leaves the segment as it was.

        Raises StorageError.
        """
        path = self.path(number)
        new = end == 0
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                os.fchmod(descriptor, 0o600)
                if os.fstat(descriptor).st_size != end:
                    raise IntegrityError(f"{path} has changed while it was written: run clinmart audit verify")
                try:
                    _write(descriptor, line, end)
                except OSError:
                    with suppress(OSError):
                        os.ftruncate(descriptor, end)
                    raise
            finally:
                os.close(descriptor)
            if new:
                sync_folder(self.folder)
        except OSError as error:
            raise self.fault("written", error) from error

    def cut(self, number: int, end: int) -> None:
        """Take away what a crash left of a line behind byte ``end``. Raises StorageError."""
        try:
            descriptor = os.open(self.path(number), os.O_RDWR | os.O_CLOEXEC)
            try:
                os.ftruncate(descriptor, end)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise self.fault("written", error) from error

    def fault(self, done: str, error: OSError) -> StorageError:
        """The error of a trail that cannot be read or written."""
        return StorageError(f"the audit trail {self.folder} cannot be {done}: {error.strerror}")


def _write(descriptor: int, data: bytes, at: int) -> None:
    rest = memoryview(data)
    while rest:
        done = os.pwrite(descriptor, rest, at)
        rest, at = rest[done:], at + done
    os.fsync(descriptor)
