"""The lines of a chunk as one string column, numbered and hashed, without copying the bytes."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa

from schemas.arrow import series_of
from schemas.records import Chunk

if TYPE_CHECKING:
    import numpy.typing as npt

_LINE_FEED, _CARRIAGE_RETURN = 10, 13
_TYPE_FIRST = r'^\s*\{\s*"resourceType"\s*:\s*"([A-Za-z]{1,64})"\s*[,}]'
_BLANK_LINE = r"^[ \t\r\n]*$"
_BLOCK = 256 * 1024
_MANY = 0.2  # share of the lines: to put more together piece by piece takes longer than to copy all
_TRUE = np.ones(1, np.bool_)
_WHITE = np.isin(np.arange(256), list(b" \t\r\n"))


@dataclass(frozen=True, slots=True)
class Lines:
    """The resources of a chunk, one a line. ``frame`` holds, a row per resource in order:

    ``text`` String (the line with its line feed; where ``utf8`` is false, bytes that are no UTF-8 are replaced in
    it), ``line`` Int64 (1-based
    number in the file), ``offset`` Int64 (byte offset in the file), ``start``/``end`` Int64 (its bytes in ``data``),
    and
    ``content_hash`` Binary (SHA-256 of those bytes). ``data`` is as received; ``text`` may have references of a
    Bundle resolved.
    """

    data: bytes
    frame: pl.DataFrame
    utf8: bool
    verbatim: bool = False  # the texts are the bytes in ``data``, with the line feed behind each

    def pieces(self, rows: pl.Series, replaced: pl.Series, places: pl.Series) -> list[bytes | memoryview]:
        """The bytes of some rows, given in rising order, one behind the other; those at ``places`` among them have the
        texts ``replaced``. Of ``verbatim`` lines that stay as they are nothing is copied, unless many are replaced.
        """
        if not self.verbatim or not len(rows) or len(places) > _MANY * len(rows):
            text = self.texts(rows)
            return [text_bytes(text.clone().scatter(places, replaced) if len(places) else text)]
        starts, ends = (self.frame[name].gather(rows).to_numpy() for name in ("start", "end"))
        begins = np.concatenate((_TRUE, starts[1:] != ends[:-1] + 1, _TRUE))
        begins[places.to_numpy()] = begins[places.to_numpy() + 1] = True
        edges, view = np.flatnonzero(begins), memoryview(self.data)
        texts = dict(zip(places.to_list(), replaced.to_list(), strict=True))  # each is a piece by itself
        first_bytes, last_bytes = starts[edges[:-1]].tolist(), (ends[edges[1:] - 1] + 1).tolist()
        return [
            texts[row].encode() if row in texts else view[begin:end]
            for row, begin, end in zip(edges[:-1].tolist(), first_bytes, last_bytes, strict=True)
        ]

    def payload(self, row: int) -> bytes:
        """The bytes of one line as received."""
        start, end = self.frame["start"][row], self.frame["end"][row]
        return self.data[start:end]

    def texts(self, rows: pl.Series) -> pl.Series:
        """The texts of some rows, given in rising order; the column itself when that is all of them."""
        return self.frame["text"] if len(rows) == self.frame.height else self.frame["text"].gather(rows)

    def not_utf8(self) -> list[int]:
        """Rows whose bytes are no UTF-8."""
        every = pl.Series(range(self.frame.height), dtype=pl.UInt32)
        return [row for row, line in enumerate(self.payloads(every)) if not is_text(line)]

    def payloads(self, rows: pl.Series) -> Iterator[bytes]:
        """The bytes of several lines as received, in the order of ``rows``."""
        starts, ends = (self.frame[name].gather(rows).to_list() for name in ("start", "end"))
        return (self.data[start:end] for start, end in zip(starts, ends, strict=True))


def joined(parts: Sequence[Lines]) -> Lines:
    """Several chunks' lines as one, in order; nothing is copied where there is only one."""
    if len(parts) == 1:
        return parts[0]
    shifts = itertools.accumulate((len(p.data) for p in parts[:-1]), initial=0)
    frames = [
        p.frame.with_columns(pl.col("start") + shift, pl.col("end") + shift)
        for p, shift in zip(parts, shifts, strict=True)
    ]
    data = b"".join(p.data for p in parts)
    return Lines(data, pl.concat(frames), all(p.utf8 for p in parts), all(p.verbatim for p in parts))


def split_lines(chunk: Chunk, *, hashed: bool = True) -> Lines:
    """Split a chunk into its lines and hash them; blank ones (white space of JSON) are left out but counted in
    the numbers. Not ``hashed``: the content hashes are null.
    """
    data = chunk.data
    ends = _line_feeds(data)
    starts = np.concatenate((np.zeros(1, np.int64), ends[:-1] + 1)) if len(ends) else ends
    utf8 = _is_utf8(data)
    bounds = np.concatenate((starts, ends[-1:] + 1))
    kind = pa.large_string() if utf8 else pa.large_binary()
    array = pa.Array.from_buffers(kind, len(ends), [None, pa.py_buffer(bounds), pa.py_buffer(data)])
    text = series_of(array)
    if not utf8:
        text = pl.Series(
            [_lossy(data[s : e + 1]) for s, e in zip(starts.tolist(), ends.tolist(), strict=True)], dtype=pl.String
        )
    offsets = starts + chunk.offset if chunk.offsets is None else np.asarray(chunk.offsets, np.int64)
    frame = pl.DataFrame(
        [
            text.alias("text"),
            pl.int_range(chunk.line, chunk.line + len(ends), dtype=pl.Int64, eager=True).alias("line"),
            _column("offset", offsets),
            _column("start", starts),
            _column("end", ends),
        ]
    )
    if _WHITE[np.frombuffer(data, np.uint8)[starts]].any():  # else no line is blank
        frame = frame.filter(~frame["text"].str.contains(_BLANK_LINE))
    hashes = _hashes(data, frame) if hashed else pl.lit(None, pl.Binary).alias("content_hash")
    return Lines(data, frame.with_columns(hashes), utf8, verbatim=utf8)


def _column(name: str, values: npt.NDArray[np.int64]) -> pl.Series:
    """The numbers as a column, without copying them (and without numpy's masked arrays, which Polars would import)."""
    return series_of(pa.Array.from_buffers(pa.int64(), len(values), [None, pa.py_buffer(values)])).alias(name)


def _line_feeds(data: bytes) -> npt.NDArray[np.int64]:
    """Where line feeds stand; looked for in blocks that stay in the processor's cache."""
    every = np.frombuffer(data, np.uint8)
    found = [np.flatnonzero(every[at : at + _BLOCK] == _LINE_FEED) + at for at in range(0, len(every), _BLOCK)]
    return np.concatenate([np.zeros(0, np.int64), *found])


def _hashes(data: bytes, frame: pl.DataFrame) -> pl.Series:
    """SHA-256 of each line's bytes as received, without its line ending; Binary of 32 bytes."""
    view = memoryview(data)
    starts, ends = frame["start"].to_list(), frame["end"].to_list()
    sha256 = hashlib.sha256
    if _CARRIAGE_RETURN in data:
        ends = [e - 1 if view[e - 1] == _CARRIAGE_RETURN else e for e in ends]
    return pl.Series(
        "content_hash", [sha256(view[s:e]).digest() for s, e in zip(starts, ends, strict=True)], dtype=pl.Binary
    )


def text_bytes(text: pl.Series) -> memoryview:
    """All texts of a column without nulls, one behind the other, without copying them."""
    if not len(text):
        return memoryview(b"")
    array = text.to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = array.buffers()
    bounds = memoryview(offsets).cast("q")
    return memoryview(data)[bounds[array.offset] : bounds[array.offset + len(array)]]


def type_when_first(text: pl.Series) -> pl.Series:
    """The resource type where `resourceType` is the first key, as nearly every server writes it; else null."""
    one = only_type(text)
    return text.str.extract(_TYPE_FIRST, 1) if one is None else pl.repeat(one, len(text), dtype=pl.String, eager=True)


def only_type(text: pl.Series) -> str | None:
    """The resource type when all lines are of one, and written compactly with their type first; else None."""
    first = text.head(1).str.extract(_TYPE_FIRST, 1)
    if len(first) and first[0] is not None and text.str.starts_with(f'{{"resourceType":"{first[0]}",').all():
        return str(first[0])
    return None


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        pa.Array.from_buffers(
            pa.large_string(), 1, [None, pa.py_buffer(np.array([0, len(data)], np.int64)), pa.py_buffer(data)]
        ).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def is_text(line: bytes) -> bool:
    """True when the bytes are UTF-8."""
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _lossy(line: bytes) -> str:
    return line.decode("utf-8", "replace")


LINES_SCHEMA = {
    "text": pl.String,
    "line": pl.Int64,
    "offset": pl.Int64,
    "start": pl.Int64,
    "end": pl.Int64,
    "content_hash": pl.Binary,
}
