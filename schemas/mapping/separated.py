"""Where the records of separated values begin and end, and how many fields each has (RFC 4180).

A line feed within quotes is part of its field. A quote that is never closed, or closed in the middle of a field, must
not swallow the file: then the line that it stands on is one malformed record, and the next line is read afresh. A quote
in the middle of a field that does not begin with one is a character as any other, as ``csv`` of Python has it.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from schemas.mapping.dialect import Dialect

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FEED, _RETURN = 10, 13
_MOST = 1 << 62
MALFORMED = -1  # in place of a number of fields
BLANK = 0


@dataclass(frozen=True, slots=True)
class Separated:
    """Record ``n`` is ``data[starts[n] : ends[n]]``, its line end included, and ``lines[n]`` lines of the data lie
    before it (all int64). ``fields`` is how many fields it has, ``BLANK`` for an empty line, ``MALFORMED`` for one
    that cannot be told. ``odd`` records have quotes in places where only this module knows what they mean.
    ``rest`` is where the first record begins that is not all there.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    lines: NDArray[np.int64]
    fields: NDArray[np.int64]
    odd: frozenset[int]
    rest: int


def separate(data: bytes, dialect: Dialect, *, final: bool, longest: int = _MOST) -> Separated:
    """The records of ``data``, which begins where a record does.

    Unless it is ``final`` a record that the end of the data may cut is left to ``rest``; if that already has more than
    ``longest`` bytes its first line is malformed. A last line without line feed is a record where it is final.
    """
    view = np.frombuffer(data, dtype=np.uint8)
    feeds = np.flatnonzero(view == _FEED).astype(np.int64)
    quote = dialect.quote.encode()
    if not quote or quote not in data:
        found = _by_feeds(data, view, feeds, feeds, dialect, final=final)
    else:
        found = _quoted(data, view, feeds, dialect, final=final, longest=longest)
    return found


def _by_feeds(
    data: bytes,
    view: NDArray[np.uint8],
    feeds: NDArray[np.int64],
    closing: NDArray[np.int64],
    dialect: Dialect,
    *,
    final: bool,
    quotes: NDArray[np.int64] | None = None,
) -> Separated:
    """Records that end with the ``closing`` feeds, which are those outside of ``quotes``."""
    ends = closing + 1
    last = int(ends[-1]) if len(ends) else 0
    if final and last < len(data):
        ends = np.append(ends, np.int64(len(data)))
        last = len(data)
    starts = np.concatenate([np.zeros(1, dtype=np.int64), ends[:-1]]) if len(ends) else ends
    marks = np.flatnonzero(view == ord(dialect.delimiter)).astype(np.int64)
    if quotes is not None:
        marks = marks[np.searchsorted(quotes, marks) % 2 == 0]
    fields = np.searchsorted(marks, ends) - np.searchsorted(marks, starts) + 1
    lines = np.searchsorted(feeds, starts)
    fields = _without_blank(view, starts, ends, fields)
    if b"\r" in data:
        fields = _without_lone_returns(view, ends, fields, quotes)
    return Separated(starts, ends, lines.astype(np.int64), fields, frozenset(), last)


def _without_blank(
    view: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64], fields: NDArray[np.int64]
) -> NDArray[np.int64]:
    """With ``BLANK`` for lines that have nothing but their end."""
    short = np.flatnonzero((ends - starts <= 2) & (fields == 1))
    for number in short.tolist():
        if not bytes(view[starts[number] : ends[number]]).strip(b"\r\n"):
            fields[number] = BLANK
    return fields


def _without_lone_returns(
    view: NDArray[np.uint8], ends: NDArray[np.int64], fields: NDArray[np.int64], quotes: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    """With ``MALFORMED`` for records that have a carriage return which is not the first half of a line end."""
    returns = np.flatnonzero(view == _RETURN).astype(np.int64)
    follows = np.append(view, np.uint8(_FEED))[returns + 1]
    lone = returns[follows != _FEED]
    if quotes is not None:
        lone = lone[np.searchsorted(quotes, lone) % 2 == 0]
    broken = np.unique(np.searchsorted(ends, lone, side="right"))
    fields[broken[broken < len(ends)]] = MALFORMED
    return fields


def _quoted(
    data: bytes, view: NDArray[np.uint8], feeds: NDArray[np.int64], dialect: Dialect, *, final: bool, longest: int
) -> Separated:
    quotes = np.flatnonzero(view == ord(dialect.quote)).astype(np.int64)
    around = np.concatenate([[np.uint8(_FEED)], view, [np.uint8(_FEED)]])
    before, after = around[quotes], around[quotes + 2]
    marks = (ord(dialect.delimiter), ord(dialect.quote), _FEED)
    opened = np.isin(before[0::2], marks)
    closed = np.isin(after[1::2], (*marks, _RETURN))
    whole = len(quotes) % 2 == 0
    if not (opened.all() and closed.all()) or (not whole and final):
        return _carefully(data, feeds, dialect, final=final, longest=longest)
    closing = feeds[np.searchsorted(quotes, feeds) % 2 == 0]
    found = _by_feeds(data, view, feeds, closing, dialect, final=final and whole, quotes=quotes)
    if (len(data) - found.rest > longest and not final) or (found.fields == MALFORMED).any():
        return _carefully(data, feeds, dialect, final=final, longest=longest)
    return found


def _carefully(data: bytes, feeds: NDArray[np.int64], dialect: Dialect, *, final: bool, longest: int) -> Separated:
    """Record by record: about fifty times slower, and only where quotes stand in unusual places."""
    quote, forms = dialect.quote.encode(), _forms(dialect)
    starts, ends, fields, odd = list[int](), list[int](), list[int](), set[int]()
    at = 0
    while at < len(data):
        feed = data.find(b"\n", at)
        line_end = feed + 1 if feed >= 0 else len(data)
        if feed < 0 and not final:
            break
        if data.find(quote, at, line_end) < 0:
            end, count = line_end, _count(data, at, line_end, dialect)
        else:
            taken = _take(data, at, forms)
            if taken is None and not final and len(data) - at <= longest and _is_open(data, at, forms):
                break
            end, count = (line_end, MALFORMED) if taken is None else taken
            if taken is not None and end > 0 and data[end - 1 : end] != b"\n" and not final:
                break
            odd.add(len(starts))
        starts.append(at)
        ends.append(end)
        fields.append(count)
        at = end
    made = np.asarray(starts, dtype=np.int64)
    lines = np.searchsorted(feeds, made).astype(np.int64)
    return Separated(made, np.asarray(ends, np.int64), lines, np.asarray(fields, np.int64), frozenset(odd), at)


def _count(data: bytes, start: int, end: int, dialect: Dialect) -> int:
    line = data[start:end].removesuffix(b"\n").removesuffix(b"\r")
    if b"\r" in line:
        return MALFORMED
    return line.count(dialect.delimiter.encode()) + 1 if line else BLANK


@dataclass(frozen=True, slots=True)
class _Forms:
    quote: bytes
    mark: bytes
    quoted: re.Pattern[bytes]  # a field in quotes, up to the last of them
    bare: re.Pattern[bytes]  # a field that does not begin with a quote


@functools.cache
def _forms(dialect: Dialect) -> _Forms:
    quote, mark = re.escape(dialect.quote.encode()), re.escape(dialect.delimiter.encode())
    return _Forms(
        dialect.quote.encode(),
        dialect.delimiter.encode(),
        re.compile(quote + b"((?:[^" + quote + b"]|" + quote + quote + b")*+)" + quote),
        re.compile(b"[^" + mark + b"\\r\\n]*+"),
    )


def _fields(data: bytes, at: int, forms: _Forms) -> tuple[list[bytes], int] | None:
    """The fields of the record that begins at ``at`` and where it ends; None where it is malformed or not all there."""
    found: list[bytes] = []
    while True:
        if data.startswith(forms.quote, at):
            quoted = forms.quoted.match(data, at)
            if quoted is None:
                return None
            found.append(quoted[1].replace(forms.quote * 2, forms.quote))
            at = quoted.end()
        else:
            bare = forms.bare.match(data, at)
            assert bare is not None  # it matches nothing too
            found.append(bare[0])
            at = bare.end()
        if data.startswith(forms.mark, at):
            at += 1
        elif at == len(data):
            return found, at
        elif data.startswith(b"\n", at):
            return found, at + 1
        elif data.startswith(b"\r\n", at):
            return found, at + 2
        elif data.endswith(b"\r") and at == len(data) - 1:
            return found, at + 1
        else:
            return None


def _take(data: bytes, at: int, forms: _Forms) -> tuple[int, int] | None:
    found = _fields(data, at, forms)
    return None if found is None else (found[1], len(found[0]))


def _is_open(data: bytes, at: int, forms: _Forms) -> bool:
    """True when the record is not at fault as far as the data goes: a quote may still be closed."""
    while True:
        if data.startswith(forms.quote, at):
            quoted = forms.quoted.match(data, at)
            if quoted is None:
                return True
            at = quoted.end()
        else:
            bare = forms.bare.match(data, at)
            assert bare is not None
            at = bare.end()
        if not data.startswith(forms.mark, at):
            return at == len(data) or data[at:] == b"\r"
        at += 1


def fields_of(record: bytes, dialect: Dialect) -> list[bytes]:
    """The fields of one record that is not malformed, with its line end or without."""
    if not dialect.quote or dialect.quote.encode() not in record:
        return record.removesuffix(b"\n").removesuffix(b"\r").split(dialect.delimiter.encode())
    found = _fields(record, 0, _forms(dialect))
    assert found is not None
    return found[0]
