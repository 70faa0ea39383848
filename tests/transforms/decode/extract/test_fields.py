"""Records as columns: as Python's csv reads them, in any character set, and aligned with their lines."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.mapping import Dialect
from schemas.reasons import Reason
from schemas.records import Chunk, ChunkKind
from transforms.decode.extract.fields import FieldReader, Fields

READER = FieldReader()
NAMES = ("x", "y", "z")


def read(data: bytes, dialect: Dialect = Dialect(), wanted: tuple[str, ...] = NAMES) -> Fields:  # noqa: B008 - frozen
    return READER.read(Chunk("u", 0, 1, data, ChunkKind.EXTRACT, names=NAMES, dialect=dialect), wanted)


CELL = st.text(st.sampled_from("ab\",;\n\r é\t#'\\0"), max_size=5)
ROWS = st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=8)


@settings(max_examples=150)
@given(ROWS, st.sampled_from(["\n", "\r\n"]), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_as_csv_reads_them(rows: list[tuple[str, str, str]], ending: str, quoting: int) -> None:
    """Whatever they hold: line ends of both kinds, quotes, hashes, backslashes, blanks around."""
    if quoting == csv.QUOTE_MINIMAL:  # which does not quote them for a carriage return
        rows = [(x.replace("\r", ""), y.replace("\r", ""), z.replace("\r", "")) for x, y, z in rows]
    text = io.StringIO()
    csv.writer(text, lineterminator=ending, quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    found = read(text.getvalue().encode())
    assert found.refused == []
    assert found.frame.rows() == [tuple(cell or None for cell in row) for row in rows]


@given(st.lists(st.sampled_from([b"a", b'"', b",", b"\n", b"\r\n", b'""', b"\xc3\xa9", b"\xff", b"\0"]), max_size=30))
def test_any_bytes(pieces: list[bytes]) -> None:
    """Every record is read or refused, none is both, and those that are read have their own fields."""
    data = b"".join(pieces)
    found = read(data)
    numbers = found.numbers.to_list()
    refused = [number for number, _ in found.refused]
    assert sorted(numbers + refused) == [n for n, fields in enumerate(found.records.fields.tolist()) if fields != 0]
    assert found.frame.height == len(numbers)
    for row, number in zip(found.frame.rows(), numbers, strict=True):
        record = data[int(found.records.starts[number]) : int(found.records.ends[number])].decode()
        (expected,) = csv.reader(io.StringIO(record.rstrip("\r\n") if '"' not in record else record, newline=""))
        assert row == tuple(cell or None for cell in expected)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"1,2", Reason.RAGGED_LINE),
        (b"1,2,3,4", Reason.RAGGED_LINE),
        (b'1,"2,3', Reason.MALFORMED_RECORD),
        (b"1,\xff,3", Reason.WRONG_ENCODING),
        (b"1,\0,3", Reason.NUL_CHARACTER),
    ],
)
def test_refused(line: bytes, reason: Reason) -> None:
    """One record, with those around it in their places."""
    found = read(b"a,b,c\n" + line + b'\nd,"e\n",f\n')
    assert found.refused == [(1, reason)]
    assert found.numbers.to_list() == [0, 2]
    assert found.frame.rows() == [("a", "b", "c"), ("d", "e\n", "f")]


def test_only_what_is_wanted() -> None:
    """In the order asked for, also where quotes are odd and line ends mixed."""
    data = b'1,5" tube,3\r\n4,"5",6\n'
    assert read(data, wanted=("z", "x")).frame.rows() == [("3", "1"), ("6", "4")]
    assert read(data, wanted=("y",)).frame.columns == ["y"]


def test_character_sets() -> None:
    """Texts of one byte for each character; the lines of a chunk that are none of it are refused alone."""
    data = "1,é,€\n".encode("cp1252")
    assert read(data, Dialect(encoding="cp1252")).frame.rows() == [("1", "é", "€")]
    found = read(data + b"1,\x81,3\n", Dialect(encoding="cp1252"))
    assert (found.numbers.to_list(), found.refused) == ([0], [(1, Reason.WRONG_ENCODING)])
    assert read(b"1,\xe9,3\n", Dialect(encoding="ascii")).refused == [(0, Reason.WRONG_ENCODING)]


def test_a_long_field() -> None:
    """Longer than what DuckDB takes unless it is told."""
    data = b"1," + b"a" * 5_000_000 + b",3\n4,5,6\n"
    assert [len(row[1] or "") for row in read(data).frame.rows()] == [5_000_000, 1]
