"""Records of separated values: as Python's csv reads them, however the data is cut, and never more than a line lost."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.mapping import Dialect
from schemas.mapping.separated import BLANK, MALFORMED, fields_of, separate

COMMA = Dialect()


def records(data: bytes, step: int, dialect: Dialect = COMMA, longest: int = 1 << 62) -> list[tuple[bytes, int]]:
    """All records with their number of fields, when the data comes in steps of so many bytes."""
    found: list[tuple[bytes, int]] = []
    held, at = b"", 0
    while True:
        held += data[at : at + step]
        at += step
        final = at >= len(data)
        got = separate(held, dialect, final=final, longest=longest)
        bounds = zip(got.starts.tolist(), got.ends.tolist(), got.fields.tolist(), strict=True)
        found += [(held[start:end], fields) for start, end, fields in bounds]
        held = held[got.rest :]
        if final:
            assert not held
            return found


ROWS = st.lists(st.lists(st.text('ab",;\n é\t', max_size=6), min_size=2, max_size=4), min_size=1, max_size=6)


@given(ROWS, st.sampled_from(["\n", "\r\n"]), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.booleans(),
       st.integers(1, 40))  # fmt: skip
def test_as_csv_reads_them(rows: list[list[str]], ending: str, quoting: int, cut_last: bool, step: int) -> None:
    """What csv writes has the same fields here, whatever quotes and line feeds they hold, and in whatever steps."""
    text = io.StringIO()
    csv.writer(text, lineterminator=ending, quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    data = text.getvalue().removesuffix(ending).encode() if cut_last else text.getvalue().encode()
    found = records(data, step)
    assert b"".join(record for record, _ in found) == data
    told = [[field.decode() for field in fields_of(record, COMMA)] for record, fields in found if fields != BLANK]
    assert told == [row for row in csv.reader(io.StringIO(data.decode(), newline="")) if row]
    assert all(fields == len(fields_of(record, COMMA)) for record, fields in found if fields != BLANK)


@given(st.lists(st.sampled_from([b"a", b'"', b",", b"\n", b"\r", b"\r\n", b'""']), max_size=40), st.integers(1, 8))
def test_steps_change_nothing(pieces: list[bytes], step: int) -> None:
    """Any bytes at all: every byte is in one record, and how they come makes no difference."""
    data = b"".join(pieces)
    whole = records(data, len(data) + 1)
    assert b"".join(record for record, _ in whole) == data
    assert records(data, step) == whole
    for record, fields in whole:
        assert fields != MALFORMED or record.count(b"\n") <= 1  # what is at fault costs one line


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'1,5" tube\n2,b\n', [(b'1,5" tube\n', 2), (b"2,b\n", 2)]),
        (b'1,"open\n2,b\n3,"c"\n', [(b'1,"open\n', MALFORMED), (b"2,b\n", 2), (b'3,"c"\n', 2)]),
        (b'1,"open\n2,b', [(b'1,"open\n', MALFORMED), (b"2,b", 2)]),
        (b'1,"a"b\n2,b\n', [(b'1,"a"b\n', MALFORMED), (b"2,b\n", 2)]),
        (b"1,a\rb\n2,b\n", [(b"1,a\rb\n", MALFORMED), (b"2,b\n", 2)]),
        (b"\n\r\n1,b\n\n", [(b"\n", BLANK), (b"\r\n", BLANK), (b"1,b\n", 2), (b"\n", BLANK)]),
        (b'1,"a\nb"\r\n', [(b'1,"a\nb"\r\n', 2)]),
        (b'""\n', [(b'""\n', 1)]),
        (b"", []),
    ],
)
def test_odd_records(data: bytes, expected: list[tuple[bytes, int]]) -> None:
    """Quotes in unusual places, lone carriage returns and blank lines."""
    assert records(data, 1000) == records(data, 2) == expected


def test_without_quotes() -> None:
    """A quotation mark is a character as any other where the file has no quotes."""
    assert records(b'"a|b\nc|"\n', 3, Dialect("|", "")) == [(b'"a|b\n', 2), (b'c|"\n', 2)]


def test_a_record_without_end() -> None:
    """One that grows beyond the limit is given up after its first line."""
    data = b'1,"open\n' + b"2,b\n" * 100
    found = records(data, 50, longest=120)
    assert found[0] == (b'1,"open\n', MALFORMED)
    assert len(found) == 101


def test_plain_character_sets() -> None:
    """Those in which a delimiter's byte is a delimiter wherever it stands."""
    assert all(Dialect(encoding=name).plain for name in ("utf-8", "ascii", "cp1252", "iso8859-1", "koi8-r"))
    assert not any(Dialect(encoding=name).plain for name in ("utf-16", "gb18030", "shift_jis", "cp500", "utf-32"))
