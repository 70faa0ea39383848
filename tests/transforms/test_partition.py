"""One chunk, all steps: what is read is counted, and bad lines change nothing about good ones."""

from __future__ import annotations

import gzip
import hashlib
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import polars.testing
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.reasons import Reason
from schemas.records import OversizedLine
from sources.synth.faults import FAULTS
from tests.transforms.one_chunk import AS_OF, observation, rows, run, text_of, written
from transforms.partition import refuse_oversized

ROOT = Path(__file__).parents[2]
SAMPLE = [
    line
    for kind in ("Observation", "Patient", "Encounter", "Condition", "Procedure")
    for line in gzip.decompress((ROOT / "data" / "sample" / f"{kind}.000.ndjson.gz").read_bytes()).splitlines()[:12]
]


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.sampled_from(SAMPLE), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from(FAULTS), st.sampled_from(SAMPLE)), max_size=5),
)
def test_bad_lines_do_not_change_their_neighbours(good: list[bytes], bad: list[tuple[int, object, bytes]]) -> None:
    """The same good lines with and without bad ones give the same frames; every line has one fate."""
    alone = run(good)
    assert alone.rejections == []
    lines, spoiled = list(good), []
    for at, fault, line in bad:
        made = fault.plant(line)  # type: ignore[attr-defined]  # hypothesis hides the type
        if made is not None and b"\n" not in made:
            spoiled.append(made)
            lines.insert(at, made)
    mixed = run(lines)
    assert sorted(r.payload for r in mixed.rejections) == sorted(spoiled)
    assert mixed.tables.keys() == alone.tables.keys()
    for name, frame in alone.tables.items():
        polars.testing.assert_frame_equal(mixed.tables[name], frame, check_column_order=False)
    assert sum(c.read for c in mixed.counts.values()) == len(lines)
    assert sum(c.quarantined for c in mixed.counts.values()) == len(spoiled)


def test_positions_and_payloads_are_exact() -> None:
    """Every rejection's bytes stand at its offset in the file."""
    lines = [line for fault in FAULTS for line in (SAMPLE[0], fault.plant(SAMPLE[0]) or b"{", b"")]
    data = text_of(lines)
    result = run(data, offset=500, line=7)
    assert len(result.rejections) == len(FAULTS)
    for bad in result.rejections:
        assert data[bad.offset - 500 :].startswith(bad.payload + b"\n")
        assert lines[bad.line - 7] == bad.payload
        assert bad.length == len(bad.payload)


def test_the_same_chunk_gives_the_same_result() -> None:
    """Whatever was read before on the thread."""
    first = run(SAMPLE)
    run([written(observation("x", component=[{"code": {"text": "c"}, "valueInteger": 1}]))])
    again = run(SAMPLE)
    assert first.tables.keys() == again.tables.keys()
    for name, frame in first.tables.items():
        polars.testing.assert_frame_equal(again.tables[name], frame, check_column_order=False)


def test_identity() -> None:
    """Version, time with its nanoseconds and hash; without `meta` the time is that of the load."""
    line = written(observation("a", meta={"versionId": "7", "lastUpdated": "2024-01-02T03:04:05.123456789+01:00"}))
    bare = observation("b")
    del bare["meta"]
    first, second = rows(run([line, written(bare)]))
    assert (first["version_id"], first["last_updated_nanos"]) == ("7", 789)
    assert first["last_updated"] == datetime(2024, 1, 2, 2, 4, 5, 123_456, tzinfo=UTC)
    assert first["content_hash"] == hashlib.sha256(line).digest()
    assert (second["version_id"], second["last_updated"], second["last_updated_nanos"]) == (None, AS_OF, 0)


@pytest.mark.parametrize("first", [True, False])
def test_the_place_of_the_type_does_not_matter(first: bool) -> None:
    """Rows of one type keep their order wherever `resourceType` stands."""
    lines = [observation(f"o{i}") for i in range(6)]
    for i, line in enumerate(lines):
        if (i % 2 == 0) is first:
            line["resourceType"] = line.pop("resourceType")
    assert sorted(row["id"] for row in rows(run([written(line) for line in lines]))) == [f"o{i}" for i in range(6)]


def test_an_oversized_line() -> None:
    """Its beginning is kept, its length and hash are said."""
    digest = hashlib.sha256(b"whole").digest()
    result = refuse_oversized(OversizedLine("file:///x", 100, 7, b"{head", 10**9, digest))
    (bad,) = result.rejections
    assert (bad.line, bad.offset, bad.payload, bad.length, bad.code) == (7, 100, b"{head", 10**9, Reason.LINE_TOO_LONG)
    assert digest.hex() in bad.message
    assert {kind: (c.read, c.quarantined) for kind, c in result.counts.items()} == {"Unknown": (1, 1)}
    assert isinstance(result.tables, dict)
    assert all(isinstance(frame, pl.DataFrame) for frame in result.tables.values())
