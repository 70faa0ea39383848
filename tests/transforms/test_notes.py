"""Notes: what is odd about an accepted row becomes a row of ``etl.validation``, by element, and refuses nothing."""

from __future__ import annotations

import random
from typing import Any

import polars as pl
import pytest

from schemas.bookkeeping import BOOKKEEPING
from schemas.notes import Note, note_of
from schemas.records import Finding
from tests.transforms.one_chunk import observation, rows, run, written
from transforms.findings import findings_frame, notes_frame
from transforms.result import ChunkResult
from transforms.times.flags import BITS

LEAP, ZERO, BEYOND = "2016-12-31T23:59:60Z", "2024-01-01T00:00:00-00:00", "0001-01-01T00:00:00+01:00"


def noted(result: ChunkResult) -> list[tuple[str, str, str]]:
    """Id, path and code of each note, sorted; fails when a note says other than its code."""
    frame = pl.concat(result.findings) if result.findings else pl.DataFrame()
    for row in frame.iter_rows(named=True):
        assert (row["finding"], row["message"]) == ("note", note_of(row["code"]).meaning)
    return sorted((row["id"], row["path"], row["code"]) for row in frame.iter_rows(named=True))


@pytest.mark.parametrize(
    ("more", "path", "code"),
    [
        ({"effectiveDateTime": LEAP}, "effective", Note.LEAP_SECOND),
        ({"effectiveDateTime": ZERO}, "effective", Note.NEGATIVE_ZERO_OFFSET),
        ({"issued": BEYOND}, "issued", Note.UTC_OUT_OF_RANGE),
        ({"meta": {"lastUpdated": LEAP}}, "last_updated", Note.LEAP_SECOND),
        ({"note": [{"text": "a"}, {"text": "b", "time": ZERO}]}, "notes.time", Note.NEGATIVE_ZERO_OFFSET),
        ({"valueQuantity": None, "valueTime": "23:59:60"}, "value_text", Note.LEAP_SECOND),
    ],
)
def test_a_note_names_its_element(more: dict[str, Any], path: str, code: Note) -> None:
    """The row is there like any other; its neighbours have no note."""
    odd = {key: value for key, value in observation("odd", **more).items() if value is not None}
    result = run([written(observation("a")), written(odd), written(observation("z"))])
    assert (result.rejections, [row["id"] for row in rows(result)]) == ([], ["a", "odd", "z"])
    assert noted(result) == [("odd", path, code)]


def test_several_notes() -> None:
    """One row for each element and code."""
    odd = observation("odd", effectiveDateTime="9999-12-31T23:59:60-00:00", issued=LEAP)
    assert noted(run([written(odd)])) == [
        ("odd", "effective", "leap_second"),
        ("odd", "effective", "negative_zero_offset"),
        ("odd", "effective", "utc_out_of_range"),
        ("odd", "issued", "leap_second"),
    ]


def test_refused_rows_have_no_notes() -> None:
    """They are in the quarantine, and counted there."""
    result = run([written(observation("bad", status="bogus", issued=LEAP)), written(observation("ok", issued=LEAP))])
    assert [bad.resource_id for bad in result.rejections] == ["bad"]
    assert noted(result) == [("ok", "issued", "leap_second")]


def test_types_that_are_kept_whole() -> None:
    """Only their version is looked at."""
    result = run([b'{"resourceType":"Flag","id":"f","meta":{"lastUpdated":"2016-12-31T23:59:60Z"}}'])
    assert noted(result) == [("f", "last_updated", "leap_second")]


def test_usual_rows_have_none() -> None:
    """Nothing is built where there is nothing to say."""
    assert run([written(observation("a"))]).findings == []


def test_the_order_of_rows_does_not_matter() -> None:
    """Each note stays with its row."""
    made = [observation(f"o{n}", issued=(LEAP, ZERO, "2024-01-01T00:00:00Z")[n % 3]) for n in range(60)]
    expected = noted(run([written(line) for line in made]))
    random.Random(1).shuffle(made)
    assert len(expected) == 40
    assert noted(run([written(line) for line in made])) == expected


def test_frames_have_the_columns_of_the_mart() -> None:
    """Notes and single findings fit the same table, also where there are none."""
    columns = [c.name for c in BOOKKEEPING["validation"] if c.name not in ("load_id", "source")]
    notes = notes_frame("Flag", pl.Series(["a"]), [pl.Series("*x:leap_second", [True])], [])
    single = findings_frame([Finding("Flag", "a", "sample", "status", "enum", "No.")])
    nothing = notes_frame("Flag", pl.Series(["a"]), [pl.Series("*x:leap_second", [True])], [0])
    assert notes.columns == single.columns == nothing.columns == columns
    assert notes.schema == single.schema == nothing.schema
    assert (notes.height, nothing.height) == (1, 0)
    assert single.row(0) == ("Flag", "a", "sample", "status", "enum", "No.", None)


def test_what_is_so_of_whole_feeds_is_counted() -> None:
    """One row for all accepted rows, and none where there are none; other notes name their rows."""
    ids, zoned = pl.Series(["a", "b", "c", "d"]), pl.Series("*x:offset_from_zone", [True, True, False, True])
    twice = pl.Series("*x:ambiguous_local_time", [True, False, False, True])
    found = notes_frame("Observation", ids, [zoned, twice], [3])
    assert found.select("id", "path", "code", "rows").rows() == [
        (None, "x", "offset_from_zone", 2),
        ("a", "x", "ambiguous_local_time", None),
    ]
    assert notes_frame("Observation", ids, [zoned], [0, 1, 3]).height == 0


def test_codes() -> None:
    """Every code is found again, and the flags of times have a bit each."""
    assert all(note_of(str(note)) is note and note.meaning.endswith(".") for note in Note)
    assert sorted(BITS.values()) == [1 << n for n in range(len(BITS))]
