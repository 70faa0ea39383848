"""Positions, payloads and hashes of lines, with blank lines and every kind of line ending."""

from __future__ import annotations

import hashlib

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transforms.one_chunk import chunk_of, observation, rows, run, written
from transforms.decode.lines import split_lines, type_when_first

PIECES = st.lists(
    st.sampled_from([b"", b" ", b"\t\r", b"\r", b"{}", b'{"a":"\xc3\xa9"}', b"x\r", b"\xff\xfe", b"  {}  ", b"\x0b"]),
    max_size=12,
)


@settings(deadline=None, max_examples=200)
@given(PIECES, st.integers(0, 10**12), st.integers(1, 10**9))
def test_every_line_where_it_stands(pieces: list[bytes], offset: int, first: int) -> None:
    """Number, byte offset, payload and hash as a plain walk over the bytes gives them; blank lines only count."""
    data = b"".join(piece + b"\n" for piece in pieces)
    lines = split_lines(chunk_of(data, offset=offset, line=first))
    expected = []
    at = 0
    for number, piece in enumerate(pieces):
        if piece.strip(b" \t\r"):
            expected.append((first + number, offset + at, piece, hashlib.sha256(piece.removesuffix(b"\r")).digest()))
        at += len(piece) + 1
    frame = lines.frame
    payloads = [lines.payload(row) for row in range(frame.height)]
    found = zip(frame["line"], frame["offset"], payloads, frame["content_hash"], strict=True)
    assert list(found) == expected
    bad = {row for row, piece in enumerate(payloads) if b"\xff" in piece}
    assert set(lines.not_utf8()) == bad
    assert lines.utf8 is not any(b"\xff" in piece for piece in pieces)


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_rejections_stand_where_the_line_stands(ending: bytes) -> None:
    """Blank lines shift nothing, through all steps and for every kind of refusal."""
    good, bad = written(observation("g")), written(observation("b", status="bogus"))
    pieces = [b"", good, b" \t", b"{", b"", bad, b"null", good, b""]
    data = b"".join(piece + ending for piece in pieces)
    result = run(data, offset=1000, line=50)
    starts = [sum(len(p) + len(ending) for p in pieces[:i]) for i in range(len(pieces))]
    tail = ending[:-1]
    expected = {
        (53, 1000 + starts[3], b"{" + tail),
        (55, 1000 + starts[5], bad + tail),
        (56, 1000 + starts[6], b"null" + tail),
    }
    assert {(r.line, r.offset, r.payload) for r in result.rejections} == expected
    assert [row["id"] for row in rows(result)] == ["g", "g"]
    assert {row["content_hash"] for row in rows(result)} == {hashlib.sha256(good).digest()}


def test_a_chunk_of_nothing() -> None:
    """No bytes, and blank lines alone, give no rows and no rejections."""
    for data in (b"", b"\n", b"\n \r\n\t\n"):
        result = run(data)
        assert (result.tables, result.rejections, result.counts) == ({}, [], {})


def test_a_bare_carriage_return_is_white_space() -> None:
    """JSON allows it between tokens; it ends no line."""
    line = written(observation("a")).replace(b',"status"', b',\r"status"')
    result = run([line, written(observation("b"))])
    assert (result.rejections, [row["id"] for row in rows(result)]) == ([], ["a", "b"])


def test_the_type_is_read_only_where_it_is_sure() -> None:
    """First key of the object, with any white space; everything else is left to the careful way."""
    lines = split_lines(
        chunk_of(
            b'{"resourceType":"Patient"}\n { "resourceType" : "Patient" ,"a":1}\n{"a":{"resourceType":"Patient"}}\n'
            b'{"resourceType":"Pat\\u0069ent"}\n["resourceType","Patient"]\n'
        )
    )
    assert type_when_first(lines.frame["text"]).to_list() == ["Patient", "Patient", None, None, None]


def test_lines_of_one_type_are_told_at_once() -> None:
    """And not when one of them is of another type whose name begins the same, or says no type."""
    same, other = b'{"resourceType":"Patient","id":"a"}\n', b'{"resourceType":"PatientX","id":"a"}\n'
    assert type_when_first(split_lines(chunk_of(same * 3)).frame["text"]).to_list() == ["Patient"] * 3
    assert type_when_first(split_lines(chunk_of(same + other)).frame["text"]).to_list() == ["Patient", "PatientX"]
    assert type_when_first(split_lines(chunk_of(same + b"{}\n")).frame["text"]).to_list() == ["Patient", None]
    assert type_when_first(split_lines(chunk_of(b"")).frame["text"]).to_list() == []


LEFT = st.lists(
    st.tuples(st.sampled_from([b"", b" ", b"{}", b'{"a":"\xc3\xa9"}\r', b"\xff"]), st.integers(0, 2)), max_size=9
)


@settings(deadline=None, max_examples=200)
@given(LEFT)
def test_the_bytes_of_some_lines(given: list[tuple[bytes, int]]) -> None:
    """Some lines are left out, some have other texts: the pieces are those that stay, in order.

    0 stays, 1 is left out, 2 has another text.
    """
    lines = split_lines(chunk_of(b"".join(piece + b"\n" for piece, _ in given)))
    texts = lines.frame["text"].to_list()
    fates = [fate for piece, fate in given if piece.strip(b" \t\r")]
    kept = [row for row, fate in enumerate(fates) if fate != 1]
    places = [place for place, row in enumerate(kept) if fates[row] == 2]
    pieces = lines.pieces(
        pl.Series(kept, dtype=pl.UInt32),
        pl.Series([f"new {place}\n" for place in places], dtype=pl.String),
        pl.Series(places, dtype=pl.UInt32),
    )
    expected = [f"new {place}\n" if place in places else texts[row] for place, row in enumerate(kept)]
    assert b"".join(bytes(piece) for piece in pieces) == "".join(expected).encode()
    if all(fate == 0 for fate in fates) and len(fates) == len(given) and lines.utf8:
        assert len(pieces) == 1


@pytest.mark.parametrize("many", [2.0, -1.0])
def test_few_and_many_other_texts_are_the_same_bytes(monkeypatch: pytest.MonkeyPatch, many: float) -> None:
    """Whether lines are put together piece by piece or copied whole, the bytes are those that were asked for."""
    monkeypatch.setattr("transforms.decode.lines._MANY", many)
    lines = split_lines(chunk_of(b"a\n \nb\nc\n\nd\ne\nf\n"))
    rows, places = pl.Series([0, 1, 2, 4, 5], dtype=pl.UInt32), pl.Series([0, 2, 4], dtype=pl.UInt32)
    made = lines.pieces(rows, pl.Series(["\u00e9\n", "Z\n", "last\n"]), places)
    assert b"".join(bytes(piece) for piece in made) == "\u00e9\nb\nZ\ne\nlast\n".encode()
    assert (len(made) == 1) is (many < 0)
