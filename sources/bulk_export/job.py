"""An export in its folder, so that a process that starts again goes on with the same one."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from schemas.errors import IntegrityError, LockedError, StorageError, UsageError

STATE_NAME = ".export.json"
_LOCK_NAME = ".export.lock"
_FOLDER_FOR_US_ONLY = 0o700  # patients' data
_FOR_US_ONLY = 0o600  # addresses of states and files may hold secrets


class Job(msgspec.Struct):
    """What is known of an export. ``pages`` are the manifest's, with the address that each came from."""

    request: str  # the kick-off address
    scope: str
    since: str | None = None
    status_url: str | None = None
    pages: list[tuple[str, str]] | None = None
    landed: bool = False  # all files are in the folder, and its manifest
    loaded: bool = False  # a load of it came to its end
    deleted: bool = False  # the server was told that it may forget the export


def read_job(folder: Path) -> Job | None:
    """The export of the folder, None when there is none yet.

    Raises IntegrityError for a state that is damaged.
    """
    path = folder / STATE_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Job)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror}") from None
    except msgspec.MsgspecError:
        raise IntegrityError(f"{path}: not the state of an export any more; fetch into another folder") from None


def write_job(folder: Path, job: Job) -> None:
    """Keep the state: after a crash it is this one or the one before, whole."""
    write_safely(folder / STATE_NAME, msgspec.json.encode(job))


def write_safely(path: Path, data: bytes, mode: int = _FOR_US_ONLY) -> None:
    """Put ``data`` at ``path`` at once and for good; StorageError when that fails."""
    new = path.with_name(f"{'' if path.name.startswith('.') else '.'}{path.name}.new")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}") from None


def sync_folder(folder: Path) -> None:
    """Make renames in ``folder`` last."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def own_folder(folder: Path) -> Iterator[None]:
    """Make the folder and hold it alone.

    Raises LockedError when another process fetches into it, UsageError when it holds other files, StorageError.
    """
    try:
        folder.mkdir(_FOLDER_FOR_US_ONLY, parents=True, exist_ok=True)
        if not (folder / STATE_NAME).exists() and any(not path.name.startswith(".") for path in folder.iterdir()):
            raise UsageError(f"{folder}: this folder holds other files; fetch into a new one")
        descriptor = os.open(folder / _LOCK_NAME, os.O_RDWR | os.O_CREAT, _FOR_US_ONLY)
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"{folder}: this is a file; name a folder") from None
    except OSError as error:
        raise StorageError(f"{folder}: cannot be used: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise LockedError(f"{folder}: another process fetches into this folder") from None
    try:
        yield
    finally:
        os.close(descriptor)
