"""One loader at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from schemas.errors import LockedError, StorageError
from stores.lock import loader_lock

_HOLD = (
    "import sys; from pathlib import Path; from stores.lock import loader_lock\n"
    "with loader_lock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
)


@contextmanager
def _other_loader(mart: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until its stdin ends."""
    command = [sys.executable, "-c", _HOLD, str(mart)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_second_loader_is_told_who(tmp_path: Path) -> None:
    """The second loader hears which process holds the mart; when that is killed the lock is free."""
    mart = tmp_path / "mart"
    with _other_loader(mart) as other:
        with pytest.raises(LockedError, match=rf"process {other.pid} on .*, for \d+ s.*--wait") as caught:
            loader_lock(mart).__enter__()
        assert caught.value.exit_code == 6
        assert "\n" not in str(caught.value)
        other.kill()
        other.wait()
        with loader_lock(mart):
            assert json.loads((tmp_path / "mart.lock").read_bytes())["pid"] == os.getpid()


def test_waiting(tmp_path: Path) -> None:
    """With a wait the second loader goes on as soon as the first is done."""
    mart = tmp_path / "mart"
    with _other_loader(mart) as other:
        assert other.stdin is not None
        timer = threading.Timer(0.2, other.stdin.close)
        timer.start()
        with loader_lock(mart, wait=60):
            timer.join()


def test_lock_in_one_process(tmp_path: Path) -> None:
    """Two loads of one process exclude each other as well; afterwards the lock is free again."""
    mart = tmp_path / "mart"
    for _ in range(2):
        with loader_lock(mart), pytest.raises(LockedError, match=f"process {os.getpid()} "):
            loader_lock(mart).__enter__()


def test_owner_that_cannot_be_read(tmp_path: Path) -> None:
    """A lock whose owner has not written its name yet is still a lock."""
    mart = tmp_path / "mart"
    with loader_lock(mart):
        (tmp_path / "mart.lock").write_bytes(b"")
        with pytest.raises(LockedError, match="another process"):
            loader_lock(mart).__enter__()


def test_stale_file_is_no_lock(tmp_path: Path) -> None:
    """The file that a dead loader left behind does not hold anything."""
    (tmp_path / "mart.lock").write_text('{"pid": 1, "host": "h", "since": "2024-01-01T00:00:00+00:00"}')
    with loader_lock(tmp_path / "mart"):
        pass


def test_nowhere_to_lock(tmp_path: Path) -> None:
    """A folder that is not there is a storage error."""
    with pytest.raises(StorageError, match="cannot write beside the mart"):
        loader_lock(tmp_path / "missing" / "mart").__enter__()
