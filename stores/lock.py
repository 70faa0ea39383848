"""One loader at a time: an advisory lock beside the mart, which ends with its owner's life."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from schemas.errors import LockedError, StorageError


@contextmanager
def loader_lock(mart: Path, *, wait: float = 0.0) -> Iterator[None]:
    """Hold the loader's lock of a mart.

    Raises LockedError when another loader has held it for ``wait`` seconds, with the owner's process and the lock's
    age.
    The system releases the lock of a process that dies, so a dead owner never blocks.
    """
    path = mart.with_name(mart.name + ".lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StorageError(f"cannot write beside the mart {mart}: {error.strerror}") from error
    try:
        _acquire(descriptor, mart, time.monotonic() + wait)
        owner = {"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now(UTC).isoformat()}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(owner).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, mart: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise LockedError(_said(descriptor, mart)) from None
            time.sleep(0.1)
        else:
            return


def _said(descriptor: int, mart: Path) -> str:
    try:
        owner = json.loads(os.pread(descriptor, 4096, 0))
        age = datetime.now(UTC) - datetime.fromisoformat(owner["since"])
        who = f"process {owner['pid']} on {owner['host']}, for {int(age.total_seconds())} s"
    except (ValueError, KeyError):
        who = "another process"
    return f"the mart {mart} is being loaded by {who}: wait for it, or give --wait SECONDS"
