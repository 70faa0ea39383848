"""What only files on disk can do: change, vanish, refuse to be read."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import tracemalloc
from collections.abc import AsyncIterable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.errors import IntegrityError, StorageError
from schemas.records import Chunk, OversizedLine
from sources.files import FileSource
from sources.source import ReadLimits

Drain = Callable[[AsyncIterable[Chunk | OversizedLine]], list[Chunk | OversizedLine]]


def test_any_name_is_read_by_its_content(tmp_path: Path, drain: Drain) -> None:
    """Lines, a resource and a Bundle in files with meaningless names."""
    contents = {"x": b'{"a":1}\n{"b":2}\n', "y.txt": b'{\n"a":1}', "z.dat": b'{"resourceType":"Bundle","entry":[{}]}'}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    source = FileSource([tmp_path / name for name in contents])
    found = [
        [item.data for item in drain(source.read(each)) if isinstance(item, Chunk)] for each in source.partitions()
    ]
    assert found == [[b'{"a":1}\n{"b":2}\n'], [b'{ "a":1}\n'], [b"{}\n"]]


def test_manifest_and_ignored_files_are_told(tmp_path: Path) -> None:
    """For those who move read cursors and those who wonder what was passed over."""
    output, deleted = [{"url": "a.ndjson"}], [{"url": "d.ndjson"}]
    members = {"transactionTime": "2024-01-01T00:00:00Z", "output": output, "deleted": deleted}
    (tmp_path / "manifest.json").write_text(json.dumps(members))
    for name in ("a.ndjson", "d.ndjson", "note.txt"):
        (tmp_path / name).write_bytes(b"{}\n")
    source = FileSource([tmp_path])
    assert [(Path(each.uri).name, each.deletes) for each in source.partitions()] == [
        ("a.ndjson", False),
        ("d.ndjson", True),
    ]
    assert [file.name for manifest in source.manifests for file in manifest.deleted] == ["d.ndjson"]
    assert [Path(each).name for each in source.ignored] == ["manifest.json", "note.txt"]


def test_a_named_file_has_the_time_of_the_manifest_beside_it(tmp_path: Path) -> None:
    """Though the manifest was not among the inputs."""
    members = {"transactionTime": "2024-01-01T00:00:00Z", "output": [{"url": "a.ndjson"}]}
    (tmp_path / "my-manifest-1.json").write_text(json.dumps(members))
    (tmp_path / "a.ndjson").write_bytes(b"{}\n")
    source = FileSource([tmp_path / "a.ndjson"])
    assert source.as_of(source.partitions()[0]) == datetime(2024, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("name", ["a.ndjson", "a.json"])
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, name: str) -> None:
    """Grown, or written again with the same length: what was read is neither the old nor the new."""
    path = tmp_path / name

    async def read(change: Callable[[], object]) -> None:
        path.write_bytes(b"{}\n" * 100)
        source = FileSource([path], ReadLimits(chunk_bytes=30))
        reading = source.read(source.partitions()[0])
        with pytest.raises(IntegrityError, match=r"changed while it was read; nothing of it was loaded"):
            async for _ in reading:
                change()

    def append() -> None:
        with path.open("ab") as file:
            file.write(b"{}\n")

    asyncio.run(read(append))
    asyncio.run(read(lambda: os.utime(path, ns=(1, 1))))


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that exists and cannot be read")
def test_a_disk_that_fails_is_a_storage_error(tmp_path: Path) -> None:
    """The system's reason, the file, and no traceback of the reader's insides."""
    path = tmp_path / "a.ndjson"
    path.symlink_to("/proc/self/mem")  # address 0 is never mapped: EIO
    with pytest.raises(StorageError, match=r"a.ndjson: cannot be read: Input/output error; check the disk"):
        FileSource([path]).partitions()


def test_a_large_file_needs_little_memory(tmp_path: Path) -> None:
    """128 MB pass through with two chunks and the backlog of the file's hash (16 MiB)."""
    path = tmp_path / "a.ndjson"
    block = (b'{"a":"' + b"x" * 990 + b'"}\n') * 1000
    with path.open("wb") as file:
        for _ in range(128):
            file.write(block)

    async def count() -> int:
        source = FileSource([path], ReadLimits(chunk_bytes=2 << 20))
        reading = source.read(source.partitions()[0])
        async for _ in reading:
            pass
        return reading.lines

    tracemalloc.start()
    assert asyncio.run(count()) == 128_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30_000_000


def test_a_small_file_costs_no_thread_of_its_own(tmp_path: Path, drain: Drain) -> None:
    """Folders of one resource per file are common."""
    for number in range(50):
        (tmp_path / f"{number}.json").write_bytes(b'{"resourceType":"Patient"}')
    source = FileSource([tmp_path])
    started: list[str] = []
    begin = threading.Thread.start

    def watch(thread: threading.Thread) -> None:
        started.append(thread.name)
        begin(thread)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", watch)
        for partition in source.partitions():
            drain(source.read(partition))
    assert not [name for name in started if "sha256" in name]
