"""Bytes into chunks of whole lines, and where lines begin in an open file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO

import numpy as np

from schemas.records import Chunk, OversizedLine
from sources.oversized import LongLine
from sources.source import ReadLimits

BOM = b"\xef\xbb\xbf"
BLOCK_BYTES = 1024 * 1024  # fits the second-level cache: read, counted and joined while it is warm
_PROBE_BYTES = 64 * 1024
_COUNT_BYTES = 256 * 1024
_LINE_FEED = np.uint8(ord("\n"))

Piece = tuple[Chunk | OversizedLine, int]  # what is handed out, and how many lines it is


def split_lines(
    blocks: Iterable[bytes], uri: str, limits: ReadLimits, *, offset: int = 0, line: int = 1
) -> Iterator[Piece]:
    """Cut ``blocks`` into chunks that end with a line feed; how the blocks are cut changes no line.

    ``offset`` and ``line`` are those of the first byte. A last line without a line feed is given one. A
    line longer than ``limits.line_bytes`` (its line feed not counted) comes as an :class:`OversizedLine`.
    """
    cutter = _Cutter(uri, limits, offset, line)
    for block in _no_longer_than(blocks, min(limits.line_bytes, limits.chunk_bytes)):
        yield from cutter.feed(block)
    yield from cutter.finish()


def drop_bom(blocks: Iterable[bytes]) -> tuple[int, Iterator[bytes]]:
    """The length of the byte order mark at the start (0 or 3), and the blocks without it."""
    rest = iter(blocks)
    head = b""
    for block in rest:
        head += block
        if len(head) >= len(BOM):
            break
    found = len(BOM) if head.startswith(BOM) else 0
    return found, _chain(head[found:], rest)


def line_start(raw: BinaryIO, position: int) -> int:
    """The first byte at or after ``position`` that begins a line; else the length of the file."""
    if position <= 0:
        return 0
    at = raw.seek(position - 1)
    while block := raw.read(_PROBE_BYTES):
        found = block.find(b"\n")
        if found >= 0:
            return at + found + 1
        at += len(block)
    return max(at, position)


def line_blocks(raw: BinaryIO, start: int, end: int | None, size: int) -> Iterator[bytes]:
    """The bytes in ``[start, end)`` in blocks of at most ``size`` that end with a line feed if one is near.

    Such a block becomes a chunk as it is: joining and cutting blocks would copy every byte twice more.
    """
    at = start
    while end is None or at < end:
        want = size if end is None else min(size, end - at)
        if want > _PROBE_BYTES:
            raw.seek(at + want - _PROBE_BYTES)
            cut = raw.read(_PROBE_BYTES).rfind(b"\n")
            want -= _PROBE_BYTES - cut - 1 if cut >= 0 else 0
        raw.seek(at)
        block = raw.read(want)
        if not block:
            return
        yield block
        at += len(block)


def count_line_feeds(data: bytes) -> int:
    """Number of line feeds: by numpy, in pieces that stay in the cache, faster than ``bytes.count``."""
    found = np.empty(_COUNT_BYTES, dtype=np.bool_)
    total = 0
    view = np.frombuffer(data, dtype=np.uint8)
    for at in range(0, len(data), _COUNT_BYTES):
        piece = view[at : at + _COUNT_BYTES]
        total += int(np.count_nonzero(np.equal(piece, _LINE_FEED, out=found[: len(piece)])))
    return total


class _Cutter:
    """The state of :func:`split_lines`: lines not yet handed out, and the beginning of the next."""

    def __init__(self, uri: str, limits: ReadLimits, offset: int, line: int) -> None:
        self._uri = uri
        self._limits = limits
        self._offset = offset  # of the first byte that is not handed out
        self._line = line
        self._ready: list[bytes] = []
        self._ready_bytes = 0
        self._tail: list[bytes] = []  # pieces of an unfinished line
        self._tail_bytes = 0
        self._long: LongLine | None = None

    def feed(self, block: bytes) -> Iterator[Piece]:
        first = block.find(b"\n")
        if first < 0:
            yield from self._extend(block)
            return
        if self._long is not None or self._tail_bytes + first > self._limits.line_bytes:
            yield from self._extend(block[:first], overlong=True)
            yield from self._finish_long(line_feed=1)
            block = block[first + 1 :]
            first = block.find(b"\n")
        cut = block.rfind(b"\n") + 1
        if self._tail_bytes + cut > self._limits.chunk_bytes:  # then the line that was begun stands alone
            yield from self._add(block[: first + 1])
            yield from self._add(block[first + 1 : cut])
        else:
            yield from self._add(block[:cut])
        if cut < len(block):
            yield from self._extend(block[cut:] if cut else block)

    def finish(self) -> Iterator[Piece]:
        if self._long is not None:
            yield from self._finish_long(line_feed=0)
        elif self._tail_bytes:
            yield from self._add(b"\n")
        yield from self._flush()

    def _add(self, lines: bytes) -> Iterator[Piece]:
        """Add whole lines, the first of them the end of the line that was begun."""
        if not lines:
            return
        size = self._tail_bytes + len(lines)
        if self._ready_bytes + size > self._limits.chunk_bytes:
            yield from self._flush()
        self._ready += [*self._tail, lines]
        self._ready_bytes += size
        self._tail, self._tail_bytes = [], 0

    def _extend(self, part: bytes, *, overlong: bool = False) -> Iterator[Piece]:
        """Add ``part``, which has no line feed, to the unfinished line."""
        if self._long is None:
            self._tail.append(part)
            self._tail_bytes += len(part)
            if not overlong and self._tail_bytes <= self._limits.line_bytes:
                return
            yield from self._flush()
            self._long = LongLine(self._uri, self._offset, self._line)
            for piece in self._tail:
                self._long.feed(piece)
            self._tail, self._tail_bytes = [], 0
        else:
            self._long.feed(part)

    def _finish_long(self, *, line_feed: int) -> Iterator[Piece]:
        assert self._long is not None
        record = self._long.finish()
        self._long = None
        self._offset += record.length + line_feed
        self._line += 1
        yield record, 1

    def _flush(self) -> Iterator[Piece]:
        if not self._ready:
            return
        data = self._ready[0] if len(self._ready) == 1 else b"".join(self._ready)
        self._ready, self._ready_bytes = [], 0
        count = count_line_feeds(data)
        chunk = Chunk(self._uri, self._offset, self._line, data)
        self._offset += len(data)
        self._line += count
        yield chunk, count


def _no_longer_than(blocks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """The same bytes in blocks of at most ``limit``: a line above it cannot lie inside one block."""
    for block in blocks:
        if len(block) <= limit:
            yield block
        else:
            for at in range(0, len(block), limit):
                yield block[at : at + limit]


def _chain(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if head:
        yield head
    yield from rest
