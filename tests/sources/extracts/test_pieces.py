"""Chunks of extracts: whole records, with their place in the file, however it is cut."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import IntegrityError
from schemas.mapping import Dialect
from schemas.mapping.separated import separate
from schemas.records import Chunk, OversizedLine
from sources.extracts import extract_pieces
from sources.source import ReadLimits

ROW = st.sampled_from([b"1,a", b'2,"b\nb"', b"", b'3,"c', b"4,d\r", b"5", b'"",""'])


def blocks(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def placed(data: bytes, size: int, chunk: int) -> list[tuple[int, int, bytes]]:
    """Offset, line and bytes of each record."""
    found = []
    pieces = extract_pieces(blocks(data, size), "u", ReadLimits(chunk_bytes=chunk), Dialect())
    lines = 0
    for item, counted in pieces:
        assert isinstance(item, Chunk)
        lines += counted
        assert item.names == ("x", "y")
        got = separate(item.data, Dialect(), final=True)
        for start, end, line in zip(got.starts.tolist(), got.ends.tolist(), got.lines.tolist(), strict=True):
            found.append((item.offset + start, item.line + line, item.data[start:end]))
    assert not found or lines == data.count(b"\n") + (not data.endswith(b"\n"))
    return found


@given(st.lists(ROW, max_size=12), st.integers(1, 30), st.integers(1, 60), st.booleans())
def test_records_have_their_place(rows: list[bytes], size: int, chunk: int, ended: bool) -> None:
    """Each stands where it says, and the same ones come in chunks of any size."""
    data = b"\n".join([b"x,y", *rows]) + (b"\n" if ended else b"")
    found = placed(data, size, chunk)
    assert found == placed(data, len(data), 1 << 20)
    for offset, line, record in found:
        assert data[offset : offset + len(record)] == record
        assert line == data[:offset].count(b"\n") + 1
    assert b"".join(record for _, _, record in found) == data[len(b"x,y\n") :]


def test_a_long_line() -> None:
    """One above the limit is kept by its beginning; what follows is read."""
    data = b"x,y\n1," + b"a" * 500 + b"\n2,b\n"
    pieces = [item for item, _ in extract_pieces(blocks(data, 50), "u", ReadLimits(100, 100, 100), Dialect())]
    (long,) = [item for item in pieces if isinstance(item, OversizedLine)]
    assert (long.line, long.offset, long.length) == (2, 4, 502)
    last = pieces[-1]
    assert isinstance(last, Chunk)
    assert (last.data, last.line, last.offset) == (b"2,b\n", 3, 507)


def test_headers() -> None:
    """Names without blanks around them; a header that is none, or of another character set, refuses the file."""

    def names(data: bytes, dialect: Dialect) -> tuple[str, ...]:
        (piece,) = extract_pieces([data], "u", ReadLimits(), dialect)
        assert isinstance(piece[0], Chunk)
        return piece[0].names

    assert names(b'\n A ,"B\nC"\n1,2\n', Dialect()) == ("A", "B\nC")
    assert names("ä;b\n1;2\n".encode("cp1252"), Dialect(";", encoding="cp1252")) == ("ä", "b")
    assert names(b"1,2\n", Dialect(header=("P", "Q"))) == ("P", "Q")
    for data in (b'"a,b\n1,2\n', "ä,b\n1,2\n".encode("cp1252")):
        with pytest.raises(IntegrityError, match="first line"):
            names(data, Dialect())


def test_wide_characters() -> None:
    """What is not UTF-8 is brought to it, or the file is refused."""
    dialect = Dialect(encoding="utf-16")
    data = "x,y\n1,ä\n".encode("utf-16")
    ((chunk, _),) = extract_pieces(blocks(data, 3), "u", ReadLimits(), dialect)
    assert isinstance(chunk, Chunk)
    assert chunk.data.decode() == "1,ä\n"
    assert chunk.dialect == Dialect()
    with pytest.raises(IntegrityError, match="not utf-16"):
        list(extract_pieces([data + b"\x00\xd8x"], "u", ReadLimits(), dialect))
