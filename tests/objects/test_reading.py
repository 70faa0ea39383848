"""Objects as files: the same chunks, each byte asked for once, and whatever happens on the way."""

from __future__ import annotations

import asyncio
import gzip
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import flows.settings
from schemas.errors import ChangedError, StorageError, TryAgainError, UsageError
from schemas.records import Chunk, Partition
from sources import lines, passes
from sources.files import FileSource
from sources.objects import object_file
from sources.objects.bucket import bucket_of
from sources.source import ReadLimits
from tests.objects.conftest import QUICK
from tests.objects.store import Environ, Store, cut, error, is_read, lying, times

pytestmark = pytest.mark.integration
LIMITS = ReadLimits(chunk_bytes=50_000, line_bytes=20_000, partition_bytes=200_000)
BLOCK = 16_384


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects of some hundred kilobytes are then long ones."""
    monkeypatch.setattr(object_file, "BLOCK_BYTES", BLOCK)
    monkeypatch.setattr(passes, "BLOCK_BYTES", BLOCK // 4)  # as 4 MiB are to 1 MiB
    monkeypatch.setattr(lines, "_PROBE_BYTES", BLOCK // 64)


def source(*inputs: str, limits: ReadLimits = LIMITS) -> FileSource:
    """A source of these inputs, which finds the store as users do."""
    return FileSource(inputs, limits, objects=flows.settings.object_access)


def items(source: FileSource, given: Sequence[Partition] = ()) -> list[tuple[str, int, int, bytes]]:
    """All that a source hands out of these partitions, or of all: name, offset, line, bytes."""

    async def read() -> list[tuple[str, int, int, bytes]]:
        found = []
        for partition in given or source.partitions():
            reading = source.read(partition)
            async for item in reading:
                data = item.data if isinstance(item, Chunk) else item.head
                found.append((Path(item.uri).name, item.offset, item.line, data))
            found.append(("sha256", 0, reading.lines, reading.sha256))
        return found

    return asyncio.run(read())


def text(size: int, seed: int = 1) -> bytes:
    """Lines of random lengths, one of them too long."""
    draw = random.Random(seed)
    lines, left = [b'{"x":"' + b"y" * 30_000 + b'"}'], size
    while left > 0:
        lines.append(b'{"n":"' + b"z" * draw.randrange(900) + b'"}')
        left -= len(lines[-1])
    return b"\n".join(lines) + b"\n"


@pytest.mark.parametrize("name", ["a.ndjson", "a.ndjson.gz", "bundle.json"])
def test_long_objects_are_read_as_files_are(store: Store, tmp_path: Path, name: str) -> None:
    """Chunks, lines, offsets and hashes are those of the file; ranges are asked for once, some at the same time."""
    content = text(700_000)
    if name == "bundle.json":
        entries = b",".join(b'{"resource":%s}' % line for line in content.splitlines()[1:])
        content = b'{"resourceType":"Bundle","type":"collection","entry":[%s]}' % entries
    if name.endswith(".gz"):
        content = gzip.compress(content, 0)
    (tmp_path / name).write_bytes(content)
    store.put(name, content)
    store.asked.clear()
    assert items(source(f"s3://clinic/{name}")) == items(FileSource([tmp_path / name], LIMITS))
    ranges = [one.range for one in store.asked if one.reads]
    through = 2 if name == "bundle.json" else 1  # a Bundle is read through before its entries are handed out
    looks = 4 * 6 if name == "a.ndjson" else 12  # for each of its partitions: where it ends, and blocks beyond that
    assert len(ranges) <= through * (len(content) / BLOCK + 1) + looks
    assert store.most > 1


def test_as_many_requests_at_once_as_the_limit_says(store: Store) -> None:
    """However many ranges are waited for."""
    store.put("a.bin", bytes(range(100)))
    bucket = bucket_of("s3", "clinic", flows.settings.object_access())
    etag = bucket.head("a.bin").etag
    waiting = [bucket.read("a.bin", etag, at, at + 1) for at in range(100)]
    assert b"".join(each.result() for each in waiting) == bytes(range(100))
    assert 1 < store.most <= QUICK.concurrency


def test_memory_holds_a_few_blocks(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the object is."""
    held: list[int] = []
    block = object_file.ObjectFile._block

    def watched(self: object_file.ObjectFile, number: int, last: int) -> bytes:
        found = block(self, number, last)
        held.append(len(self._blocks))
        return found

    monkeypatch.setattr(object_file.ObjectFile, "_block", watched)
    store.put("long.ndjson", text(1_500_000))
    items(source("s3://clinic/long.ndjson", limits=ReadLimits(chunk_bytes=50_000, line_bytes=20_000)))
    assert len(held) > 80 and max(held) <= 10


@pytest.mark.parametrize("what", ["cut", "slow down", "lying", "gateway"])
def test_what_breaks_on_the_way_is_asked_for_again(store: Store, tmp_path: Path, what: str) -> None:
    """Only the range that broke; the chunks are the same."""
    content = text(300_000)
    (tmp_path / "a.ndjson").write_bytes(content)
    store.put("a.ndjson", content)
    etag = store.request("HEAD", "a.ndjson").headers["etag"]
    fault = {
        "cut": cut(etag, len(content)),
        "slow down": error("503 Slow Down", "SlowDown"),
        "lying": lying(etag, len(content)),
        "gateway": error("502 Bad Gateway", "BadGateway"),
    }[what]
    expected = items(FileSource([tmp_path / "a.ndjson"], LIMITS))
    whole = source("s3://clinic/a.ndjson")
    whole.partitions()
    store.asked.clear()
    items(whole)
    without = len(store.reads)
    store.fault = times(3, fault, is_read)
    store.asked.clear()
    assert items(source("s3://clinic/a.ndjson")) == expected
    assert without < len(store.reads) <= without + 3 + 3


def test_a_listing_that_breaks_goes_on(store: Store) -> None:
    """Nothing is listed twice, nothing is left out."""
    for number in range(3):
        store.put(f"p/{number}.ndjson", b"{}\n")
    store.fault = times(2, error("500 Internal Server Error", "InternalError"), lambda e: not is_read(e))
    assert [p.uri for p in source("s3://clinic/p").partitions()] == [f"s3://clinic/p/{n}.ndjson" for n in range(3)]


def test_a_storm_that_does_not_end(store: Store) -> None:
    """Five tries, then exit 75."""
    store.put("a.ndjson", text(1000))
    planned = source("s3://clinic/a.ndjson")
    planned.partitions()
    store.fault = error("503 Slow Down", "SlowDown")
    store.asked.clear()
    with pytest.raises(TryAgainError, match=r"s3://clinic/a.ndjson: cannot be read: the store answers 503 SlowDown; "):
        items(planned)
    assert len(store.reads) == 5


@pytest.mark.parametrize("how", ["replaced", "removed", "no If-Match"])
def test_another_content_than_was_listed_is_refused(store: Store, how: str) -> None:
    """In the middle of the object, also where the store pays no heed to If-Match."""
    store.put("a.ndjson", text(300_000))
    planned = source("s3://clinic/a.ndjson")
    planned.partitions()

    def change(environ: Environ, _: Callable[..., object]) -> None:
        if how == "no If-Match":
            environ.pop("HTTP_IF_MATCH", None)
        if is_read(environ) and environ.get("HTTP_RANGE", "").startswith(f"bytes={4 * BLOCK}-") and not done:
            done.append(True)
            store.request("DELETE", "a.ndjson")
            if how != "removed":
                store.put("a.ndjson", text(300_000).replace(b"z", b"w"))  # of the same size

    done: list[bool] = []
    store.fault = change
    with pytest.raises(ChangedError, match="was replaced or removed since it was listed"):
        items(planned)
    assert done


def test_a_store_that_is_not_there(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    """Exit 75, in words that hold no address but the object's."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(TryAgainError, match=r"^s3://clinic/a.ndjson: cannot be read: the store cannot be reached; "):
        source("s3://clinic/a.ndjson").partitions()


def test_plain_http_must_be_allowed(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    """Patients' data do not go in the clear because an address says http."""
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    store.put("a.ndjson", b"{}\n")
    assert len(source("s3://clinic/a.ndjson").partitions()) == 1, "to this machine it is safe"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://minio.hospital.example:9000")
    with pytest.raises(UsageError, match="set AWS_ALLOW_HTTP=true"):
        source("s3://clinic/a.ndjson").partitions()


def test_what_inputs_mean(store: Store) -> None:
    """An object, a prefix, a pattern; keys are what they are, and what is hidden stays so."""
    keys = ("a b#c%20é+.ndjson", "in/1.ndjson", "in/2.ndjson", "in/deep/3.ndjson", "w[1].ndjson", "in/readme.txt")
    for key in keys:
        store.put(key, b"{}\n")
    store.put("in/.part/4.ndjson", b"{}\n")
    store.put("in/deep/", b"")  # what consoles make where a folder is made
    below = ["in/1.ndjson", "in/2.ndjson", "in/deep/3.ndjson"]
    for given, found in (
        ("s3://clinic", [keys[0], *below, "w[1].ndjson"]),
        ("s3://clinic/in", below),
        ("S3://clinic/in/", below),
        ("s3://clinic/in/*.ndjson", below[:2]),
        ("s3://clinic/in/[12].nd*", below[:2]),
        ("s3://clinic/**/3.ndjson", below[2:]),
        ("s3://clinic/i*", below),
        ("s3://clinic/w[1].ndjson", ["w[1].ndjson"]),
        (f"s3://clinic/{keys[0]}", [keys[0]]),
        ("s3://clinic/in/readme.txt", ["in/readme.txt"]),
    ):
        meant = [partition.uri for partition in source(given).partitions()]
        assert meant == [f"s3://clinic/{key}" for key in found], given


def test_a_key_that_cannot_be_read_is_told(store: Store) -> None:
    """obstore has no name for a key with an empty part."""
    store.put("in//1.ndjson", b"{}\n")
    with pytest.raises(StorageError, match="has an empty part"):
        source("s3://clinic/in").partitions()


def test_objects_and_files_in_one_load(store: Store, tmp_path: Path) -> None:
    """Inputs keep their order, and what is named twice is read once."""
    store.put("a.ndjson", b"{}\n")
    (tmp_path / "b.ndjson").write_bytes(b"{}\n")
    found = source(str(tmp_path / "b.ndjson"), "s3://clinic/a.ndjson", "s3://clinic/", str(tmp_path)).partitions()
    assert [partition.uri for partition in found] == [str(tmp_path / "b.ndjson"), "s3://clinic/a.ndjson"]


def test_small_objects_come_before_they_are_asked_for(store: Store) -> None:
    """And each comes once."""
    for number in range(12):
        store.put(f"p/{number:02}.ndjson", b'{"n":%d}\n' % number)
    planned = source("s3://clinic/p")
    partitions = planned.partitions()
    store.asked.clear()
    planned.expect(partitions)
    found = items(planned, partitions)
    assert len(found) == 24 and sorted(store.reads) == [f"/clinic/p/{number:02}.ndjson" for number in range(12)]
