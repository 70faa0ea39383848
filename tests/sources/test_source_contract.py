"""What every source must do, tried on files and on their in-memory twin."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import pickle
import shutil
import tempfile
from collections.abc import AsyncIterable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import IntegrityError, UsageError
from schemas.records import Chunk, ChunkKind, OversizedLine, Partition
from sources.files import FileSource
from sources.memory import MemorySource
from sources.source import ReadLimits, Source

Item = Chunk | OversizedLine
Drain = Callable[[AsyncIterable[Item]], list[Item]]
Make = Callable[..., Source]


def _file_source(files: Mapping[str, bytes], limits: ReadLimits | None = None) -> Source:
    folder = Path(tempfile.mkdtemp(prefix="clinmart-test-"))
    _folders.append(folder)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return FileSource([folder], limits)


_folders: list[Path] = []


@pytest.fixture(scope="module", params=[_file_source, MemorySource], ids=["files", "memory"])
def make(request: pytest.FixtureRequest) -> Make:
    """Makes a source of a folder with the given files."""
    maker: Make = request.param
    return maker


@pytest.fixture(autouse=True)
def _remove_folders() -> object:
    yield
    while _folders:
        shutil.rmtree(_folders.pop())


def _names(partitions: list[Partition]) -> list[str]:
    """The file names of partitions, below the folder of all of them."""
    return [partition.uri.rsplit("/", 1)[1] for partition in partitions]


def _data(items: list[Item]) -> bytes:
    return b"".join(item.data for item in items if isinstance(item, Chunk))


BUNDLE = (
    b'{"entry":[{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient"}},\n'
    b' {"resource":{"resourceType":"Encounter","id":"e"}}],"resourceType":"Bundle","id":"b"}\n'
)
PATIENT = b'\n{\n  "resourceType": "Patient",\r\n  "id": "p"\n}\n'
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}


def test_partitions_are_the_data_files_in_order(make: Make) -> None:
    """Sorted, with their sizes; the manifest and other files are none."""
    files = {"b.ndjson": b"{}\n", "a.json.gz": gzip.compress(b"{}"), "x.csv": b"1", ".c.json": b"{}", "d.jsonl": b""}
    source = make(files)
    partitions = list(source.partitions())
    assert _names(partitions) == ["a.json.gz", "b.ndjson", "d.jsonl"]
    assert [(p.start, p.end, p.size) for p in partitions] == [(0, None, len(files[n])) for n in _names(partitions)]
    assert partitions == list(source.partitions())


def test_nothing_to_load_is_a_mistake_of_use(make: Make) -> None:
    """A folder without data."""
    with pytest.raises(UsageError, match="this folder holds nothing to load"):
        make({"x.csv": b"1"}).partitions()


def test_an_export_with_missing_files_is_refused(make: Make) -> None:
    """The manifest lists more than is there."""
    manifest = {"transactionTime": "2024-01-01T00:00:00Z", "output": [{"url": "a.ndjson"}, {"url": "b.ndjson"}]}
    with pytest.raises(IntegrityError, match=r"1 missing: b.ndjson"):
        make({"manifest.json": json.dumps(manifest).encode(), "a.ndjson": b"{}"}).partitions()


def test_the_time_of_an_export(make: Make) -> None:
    """The manifest's transactionTime for the files beside it, nothing elsewhere."""
    manifest = {"transactionTime": "2024-01-01T00:00:00Z", "output": [{"url": "a.ndjson"}]}
    files = {
        "x/export.json": json.dumps(manifest).encode(),
        "x/a.ndjson": b"{}",
        "x/z.ndjson": b"{}",
        "y.ndjson": b"{}",
    }
    source = make({**files, "x/manifest.json": files["x/export.json"]})
    times = {p.uri.rsplit("/", 1)[1]: source.as_of(p) for p in source.partitions()}
    time = datetime(2024, 1, 1, tzinfo=UTC)
    assert times == {"a.ndjson": time, "z.ndjson": time, "y.ndjson": None}


@pytest.mark.parametrize("packer", list(PACKERS))
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
def test_lines(make: Make, drain: Drain, packer: str, start: bytes) -> None:
    """NDJSON, also compressed and with a byte order mark: data, offset, line, hashes and counts."""
    text = b'{"a":1}\r\n\n{"b":2}'
    packed = PACKERS[packer](start + text)
    source = make({"a.ndjson" + packer: packed})
    [partition] = source.partitions()
    reading = source.read(partition)
    [chunk] = drain(reading)
    assert isinstance(chunk, Chunk)
    assert (chunk.uri, chunk.data, chunk.offset, chunk.line) == (partition.uri, text + b"\n", len(start), 1)
    assert (chunk.kind, chunk.offsets) == (ChunkKind.RESOURCE, None)
    assert chunk.sha256 == hashlib.sha256(chunk.data).digest()
    assert reading.sha256 == source.digest(partition) == hashlib.sha256(packed).digest()
    assert (reading.lines, reading.bytes_read) == (3, len(packed))


@pytest.mark.parametrize("packer", list(PACKERS))
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
def test_bundle(make: Make, drain: Drain, packer: str, start: bytes) -> None:
    """A Bundle becomes its entries and its envelope."""
    packed = PACKERS[packer](start + BUNDLE)
    source = make({"a.json" + packer: packed})
    [partition] = source.partitions()
    reading = source.read(partition)
    entries, envelope = drain(reading)
    assert isinstance(entries, Chunk)
    assert isinstance(envelope, Chunk)
    assert (entries.kind, envelope.kind) == (ChunkKind.ENTRY, ChunkKind.RESOURCE)
    assert [json.loads(line) for line in entries.data.splitlines()] == json.loads(BUNDLE)["entry"]
    assert entries.offsets == tuple(
        len(start) + BUNDLE.index(key) for key in (b'{"fullUrl"', b'{"resource":{"resourceType":"E')
    )
    assert entries.references == envelope.references == {"urn:uuid:1": "Patient/1"}
    assert envelope.data == b'{"resourceType":"Bundle","id":"b"}\n'
    assert (reading.lines, reading.bytes_read) == (3, len(packed))
    assert reading.sha256 == source.digest(partition) == hashlib.sha256(packed).digest()


@pytest.mark.parametrize("packer", list(PACKERS))
def test_single_resource(make: Make, drain: Drain, packer: str) -> None:
    """A resource over many lines becomes one, at its place."""
    source = make({"a.json" + packer: PACKERS[packer](PATIENT)})
    [partition] = source.partitions()
    reading = source.read(partition)
    [chunk] = drain(reading)
    assert isinstance(chunk, Chunk)
    assert chunk.data == b'{   "resourceType": "Patient",    "id": "p" }\n'
    assert (chunk.offset, chunk.offsets, chunk.line, chunk.kind) == (1, (1,), 1, ChunkKind.RESOURCE)
    assert reading.lines == 1


def test_lines_in_a_json_file(make: Make, drain: Drain) -> None:
    """The content decides for .json, and blank files hold nothing."""
    source = make({"a.json": b'{"a":1}\n{"b":2}\n', "b.json": b"", "c.json": b" \n\n"})
    found = [drain(source.read(partition)) for partition in source.partitions()]
    assert [_data(items) for items in found] == [b'{"a":1}\n{"b":2}\n', b"", b" \n\n"]


def test_long_lines_and_documents(make: Make, drain: Drain) -> None:
    """Above the limit only the head is kept, of a line as of a document."""
    long = b'{"a":"' + b"x" * 50 + b'"}'
    source = make({"a.ndjson": b"{}\n" + long + b"\n{}\n", "b.json": b" " + long}, ReadLimits(line_bytes=40))
    (first, line, last), [document] = (drain(source.read(partition)) for partition in source.partitions())
    assert isinstance(line, OversizedLine)
    assert isinstance(document, OversizedLine)
    assert (first.line, line.line, last.line) == (1, 2, 3)
    assert (line.offset, line.length, line.head) == (3, len(long), long)
    assert (document.offset, document.length, document.sha256) == (1, len(long), hashlib.sha256(long).digest())


BROKEN = {
    "cut.ndjson.gz": gzip.compress(b'{"a":1}\n' * 100)[:-5],
    "cut.json.zst": PACKERS[".zst"](BUNDLE)[:-3],
    "html.ndjson.gz": b"<html>not found</html>",
    "empty.ndjson.gz": b"",
    "tail.ndjson.gz": gzip.compress(b"{}\n") + b"tail",
    "cut.json": BUNDLE[:-20],
    "text.json": b"Not found\n",
    "cut-resource.json": PATIENT[:-4],
}


@pytest.mark.parametrize("name", list(BROKEN))
def test_damage_is_found_before_the_end(make: Make, drain: Drain, name: str) -> None:
    """The reading never ends in peace, and has no hash to put into a receipt."""
    source = make({name: BROKEN[name]})
    [partition] = source.partitions()
    reading = source.read(partition)
    with pytest.raises(IntegrityError, match=rf"/{name}: .*nothing of (it|this file) was loaded") as caught:
        drain(reading)
    assert "\n" not in str(caught.value)
    with pytest.raises(RuntimeError, match="read to its end"):
        reading.sha256  # noqa: B018 - asking is the point
    assert drain(reading) == []


lines = st.lists(st.sampled_from([b"", b"a", b"bc", b"\r", b"defghijklm"]), max_size=30).map(b"\n".join)


@settings(max_examples=60)
@given(lines, st.booleans(), st.integers(1, 20), st.integers(1, 9))
def test_ranges_share_no_line_and_lose_none(
    make: Make, drain: Drain, text: bytes, bom: bool, partition_bytes: int, chunk_bytes: int
) -> None:
    """The partitions' lines put together are the file's, with true numbers and offsets, in any order of
    reading."""
    start = b"\xef\xbb\xbf" if bom else b""
    limits = ReadLimits(partition_bytes=partition_bytes, chunk_bytes=chunk_bytes)
    source = make({"a.ndjson": start + text}, limits)
    partitions = list(source.partitions())
    size = len(start + text)
    assert len(partitions) == max(-(-size // partition_bytes), 1)
    assert sum(partition.size for partition in partitions) == size
    readings = {partition: source.read(partition) for partition in partitions}
    found = {partition: drain(readings[partition]) for partition in reversed(partitions)}
    together = b"".join(_data(found[partition]) for partition in partitions)
    assert together == (text + b"\n" if text and not text.endswith(b"\n") else text)
    number, offset = 1, len(start)
    for partition in partitions:
        for item in found[partition]:
            assert isinstance(item, Chunk)
            assert (item.line, item.offset) == (number, offset)
            number, offset = number + item.data.count(b"\n"), offset + len(item.data)
    assert number - 1 == sum(reading.lines for reading in readings.values())
    for partition, reading in readings.items():
        assert reading.sha256 == source.digest(partition)
    assert sum(reading.bytes_read for reading in readings.values()) == size


def test_ranges_hash_what_they_own(make: Make, drain: Drain) -> None:
    """A range's hash covers its lines to their ends: a change in any of them changes its receipt."""
    text = b"aaaaaaaa\nbbbbbbbb\ncccccccc\n"
    source = make({"a.ndjson": text}, ReadLimits(partition_bytes=14))
    owned = [text[:18], text[18:]]
    digests = [source.digest(partition) for partition in source.partitions()]
    assert digests == [hashlib.sha256(part).digest() for part in owned]


def test_a_known_first_line_is_not_counted(make: Make, drain: Drain) -> None:
    """The caller's number is taken as it is; without it the lines before are counted."""
    source = make({"a.ndjson": b"1\n2\n3\n4\n"}, ReadLimits(partition_bytes=4))
    second = source.partitions()[1]
    assert [item.line for item in drain(source.read(second, first_line=77))] == [77]
    assert [item.line for item in drain(source.read(second))] == [3]


def test_documents_and_compressed_files_are_not_split(make: Make) -> None:
    """However large: they cannot be read from the middle."""
    files = {"a.json": BUNDLE, "b.ndjson.gz": gzip.compress(BUNDLE * 9), "c.json": b"{}\n" * 9}
    partitions = make(files, ReadLimits(partition_bytes=9)).partitions()
    assert _names(list(partitions)) == ["a.json", "b.ndjson.gz", "c.json", "c.json", "c.json"]


def test_a_source_can_be_sent_to_a_worker(make: Make, drain: Drain) -> None:
    """Pickled, it reads the same partitions; so are the partitions and what is read."""
    source = make({"a.ndjson": b"1\n2\n3\n"}, ReadLimits(partition_bytes=2))
    partitions = source.partitions()
    there: Source
    there, theirs = pickle.loads(pickle.dumps((source, partitions)))
    found = itertools.chain.from_iterable(drain(there.read(partition)) for partition in theirs)
    assert _data(pickle.loads(pickle.dumps(list(found)))) == b"1\n2\n3\n"


def test_a_file_shorter_than_planned_is_refused(make: Make, drain: Drain) -> None:
    """Its lost lines would go unnoticed."""
    source = make({"a.ndjson": b"1\n2\n"})
    uri = source.partitions()[0].uri
    for planned in (Partition(uri, size=5), Partition(uri, 2, 5, 3), Partition(uri, 2, None, 3)):
        with pytest.raises(IntegrityError, match=r"a.ndjson: it has 4 bytes, and had 5 when the load was planned"):
            drain(source.read(planned))
        with pytest.raises(IntegrityError, match="had 5 when the load was planned"):
            source.digest(planned)


def test_a_file_that_is_gone_is_refused(make: Make, drain: Drain) -> None:
    """Named, as data that was promised."""
    source = make({"a.ndjson": b"1\n"})
    gone = Partition(source.partitions()[0].uri + "x")
    with pytest.raises(IntegrityError, match=r"a.ndjsonx: was there when the load was planned and is gone now"):
        drain(source.read(gone))
    with pytest.raises(IntegrityError, match="is gone now"):
        source.digest(gone)


@pytest.mark.parametrize("name", ["chunk_bytes", "partition_bytes", "line_bytes", "entry_bytes", "max_ratio"])
def test_limits_of_nothing_are_a_mistake(name: str) -> None:
    """Zero would read forever or not at all."""
    with pytest.raises(UsageError, match=r"read limit .* is 0; it must be 1 or more"):
        ReadLimits(**{name: 0})
