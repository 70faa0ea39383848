"""Files of separated values into chunks of whole records, however quotes and line ends lie in the blocks."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import replace

from schemas.errors import IntegrityError
from schemas.mapping.dialect import Dialect
from schemas.mapping.separated import BLANK, MALFORMED, fields_of, separate
from schemas.records import Chunk, ChunkKind
from sources.lines import Piece, count_line_feeds, drop_bom
from sources.oversized import LongLine
from sources.source import ReadLimits


def extract_pieces(
    blocks: Iterable[bytes], uri: str, limits: ReadLimits, dialect: Dialect, *, offset: int = 0
) -> Iterator[Piece]:
    """The records below the header as ``EXTRACT`` chunks; a line above ``limits.line_bytes`` as an OversizedLine.

    ``offset`` is that of the first byte. What is not in UTF-8 or one byte for each character is brought to UTF-8 first:
    then offsets and bytes are those of the UTF-8 text. IntegrityError when that cannot be done, and for a first line
    that is no header.
    """
    if not dialect.plain:
        start, blocks = drop_bom(as_utf8(blocks, uri, dialect.encoding))
        offset, dialect = start, replace(dialect, encoding="utf-8")
    cutter = _Cutter(uri, limits, dialect, offset)
    for block in blocks:
        yield from cutter.feed(block)
    yield from cutter.finish()


def names_in(record: bytes, uri: str, dialect: Dialect) -> tuple[str, ...]:
    """The names of the columns that a header line gives, without blanks around them; IntegrityError for none."""
    try:
        names = tuple(field.decode(dialect.encoding).strip() for field in fields_of(record, dialect))
    except UnicodeDecodeError:
        raise IntegrityError(
            f"{uri}: the first line, which names the columns, holds bytes that are not {dialect.encoding}: "
            "name its character set in the mapping (encoding)"
        ) from None
    return names


class _Cutter:
    def __init__(self, uri: str, limits: ReadLimits, dialect: Dialect, offset: int) -> None:
        self._uri = uri
        self._limits = limits
        self._dialect = dialect
        self._names = dialect.header
        self._offset = offset  # of the first byte that is not handed out
        self._line = 1
        self._before = 0  # lines of the header, which no piece has counted yet
        self._held: list[bytes] = []
        self._size = 0
        self._long: LongLine | None = None

    def feed(self, block: bytes) -> Iterator[Piece]:
        """Take a block; what is whole by now comes out when it is enough for a chunk."""
        if self._long is not None:
            feed = block.find(b"\n")
            self._long.feed(block if feed < 0 else block[:feed])
            if feed < 0:
                return
            yield self._end_long(1)
            block = block[feed + 1 :]
        self._held.append(block)
        self._size += len(block)
        if self._size >= self._limits.chunk_bytes:
            yield from self._cut(final=False)

    def finish(self) -> Iterator[Piece]:
        """What is left."""
        if self._long is not None:
            yield self._end_long(0)
        yield from self._cut(final=True)

    def _cut(self, *, final: bool) -> Iterator[Piece]:
        data = b"".join(self._held)
        end = len(data) if final and self._names is not None else self._whole(data, final=final)
        data, rest = data[:end], data[end:]
        if self._names is None:
            data = self._header(data)
        yield from self._chunks(data)
        self._held, self._size = ([rest], len(rest)) if rest else ([], 0)
        if len(rest) > self._limits.line_bytes and b"\n" not in rest:
            self._long = LongLine(self._uri, self._offset, self._line)
            self._long.feed(rest)
            self._held, self._size = [], 0

    def _whole(self, data: bytes, *, final: bool) -> int:
        """How many bytes are whole records."""
        if not self._dialect.quote or self._dialect.quote.encode() not in data:
            return len(data) if final else data.rfind(b"\n") + 1
        return separate(data, self._dialect, final=final, longest=self._limits.line_bytes).rest

    def _header(self, data: bytes) -> bytes:
        """Take the header from the front; what follows it."""
        found = separate(data, self._dialect, final=True)
        for start, end, fields in zip(found.starts.tolist(), found.ends.tolist(), found.fields.tolist(), strict=True):
            if fields == BLANK:
                continue
            if fields == MALFORMED:
                raise IntegrityError(
                    f"{self._uri}: its first line is no header: a quote in it is not closed, or it has a carriage "
                    "return within; see quote, delimiter and header in the mapping"
                )
            self._names = names_in(data[start:end], self._uri, self._dialect)
            self._before = count_line_feeds(data[:end])
            self._offset += end
            self._line += self._before
            return data[end:]
        self._before += count_line_feeds(data)
        self._offset += len(data)
        self._line += count_line_feeds(data)
        return b""

    def _chunks(self, data: bytes) -> Iterator[Piece]:
        if not data or self._names is None:
            return
        lines = count_line_feeds(data) + (not data.endswith(b"\n"))
        chunk = Chunk(
            self._uri, self._offset, self._line, data, ChunkKind.EXTRACT, names=self._names, dialect=self._dialect
        )
        self._offset += len(data)
        self._line += lines
        yield chunk, lines + self._before
        self._before = 0

    def _end_long(self, line_feed: int) -> Piece:
        assert self._long is not None
        record, self._long = self._long.finish(), None
        self._offset += record.length + line_feed
        self._line += 1
        return record, 1


def as_utf8(blocks: Iterable[bytes], uri: str, encoding: str) -> Iterator[bytes]:
    """Text of a character set as UTF-8. IntegrityError when it is not of that set."""
    decoder, done = codecs.getincrementaldecoder(encoding)(), 0
    try:
        for block in blocks:
            if text := decoder.decode(block):
                yield text.encode()
            done += len(block)
        if text := decoder.decode(b"", final=True):
            yield text.encode()
    except UnicodeError:
        raise IntegrityError(
            f"{uri}: holds bytes that are not {encoding}, after its first {done:,} bytes; nothing of it was loaded. "
            "Name its character set in the mapping (encoding)"
        ) from None
