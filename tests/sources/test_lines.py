"""Chunks of whole lines: nothing lost, nothing doubled, however the blocks are cut."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Chunk, OversizedLine
from sources.lines import BOM, count_line_feeds, drop_bom, line_blocks, line_start, split_lines
from sources.oversized import HEAD_BYTES
from sources.source import ReadLimits

Cut = Callable[[bytes, Sequence[int]], list[bytes]]

texts = st.lists(st.sampled_from([b"", b"\n", b"a", b"bc", b"\r\n", b" ", b"defghijk", b"\x00\xff"])).map(b"".join)
sizes = st.lists(st.integers(1, 7), min_size=1, max_size=4)
small = st.integers(1, 12)


def _model(data: bytes) -> list[tuple[int, bytes]]:
    """Offset and content of each line, by the plainest means; a last line without line feed counts."""
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    offsets, at = [], 0
    for line in lines:
        offsets.append(at)
        at += len(line) + 1
    return list(zip(offsets, lines, strict=True))


def _flat(pieces: Sequence[Chunk | OversizedLine]) -> list[tuple[int, int, bytes | None]]:
    """Number, offset and content (None: too long) of each line that came out, taken from the records."""
    found: list[tuple[int, int, bytes | None]] = []
    for piece in pieces:
        if isinstance(piece, OversizedLine):
            found.append((piece.line, piece.offset, None))
            continue
        at = piece.offset
        for number, line in enumerate(piece.data.split(b"\n")[:-1], piece.line):
            found.append((number, at, line))
            at += len(line) + 1
    return found


@given(texts, sizes, small, small)
def test_any_cut_gives_the_lines_of_the_text(cut: Cut, data: bytes, sizes: list[int], chunk: int, line: int) -> None:
    """Every line comes once, in order, with its true number and offset; those above the limit as such."""
    limits = ReadLimits(chunk_bytes=chunk, line_bytes=line)
    pieces = list(split_lines(cut(data, sizes), "u", limits))
    expected = [
        (number, offset, content if len(content) <= line else None)
        for number, (offset, content) in enumerate(_model(data), 1)
    ]
    assert _flat([piece for piece, _ in pieces]) == expected
    assert sum(count for _, count in pieces) == len(expected)


@given(texts, sizes, small, small)
def test_chunks_keep_their_promises(cut: Cut, data: bytes, sizes: list[int], chunk: int, line: int) -> None:
    """A chunk ends in a line feed, is within the limit unless one line is not, and carries its own hash."""
    for piece, count in split_lines(cut(data, sizes), "u", ReadLimits(chunk_bytes=chunk, line_bytes=line)):
        if isinstance(piece, OversizedLine):
            content = data[piece.offset : piece.offset + piece.length]
            assert (piece.head, piece.sha256) == (content[:HEAD_BYTES], hashlib.sha256(content).digest())
            assert piece.length > line
            assert b"\n" not in content
        else:
            assert piece.data.endswith(b"\n")
            assert piece.data.count(b"\n") == count
            assert len(piece.data) <= chunk or count == 1
            assert piece.sha256 == hashlib.sha256(piece.data).digest()


@given(texts, sizes, small)
def test_chunks_put_together_are_the_text(cut: Cut, data: bytes, sizes: list[int], chunk: int) -> None:
    """With no line too long, the chunks are the text, and at most a last line feed is added."""
    pieces = split_lines(cut(data, sizes), "u", ReadLimits(chunk_bytes=chunk))
    together = b"".join(piece.data for piece, _ in pieces if isinstance(piece, Chunk))
    assert together == (data + b"\n" if data and not data.endswith(b"\n") else data)


def test_numbers_and_offsets_start_where_the_caller_says() -> None:
    """A text from the middle of a file keeps the file's offsets and numbers."""
    (chunk, _), (long, _) = split_lines([b"a\nb\nlonger\n"], "u", ReadLimits(line_bytes=3), offset=100, line=7)
    assert (chunk.offset, chunk.line) == (100, 7)
    assert (long.offset, long.line) == (104, 9)


def test_a_long_line_keeps_only_its_head() -> None:
    """64 KiB of a longer line are kept, with the length and hash of all of it."""
    line = b"x" * 300_000
    [(piece, _)] = split_lines([line[:150_000], line[150_000:] + b"\n"], "u", ReadLimits(line_bytes=100_000))
    assert isinstance(piece, OversizedLine)
    assert piece.head == line[:HEAD_BYTES]
    assert (piece.length, piece.sha256) == (300_000, hashlib.sha256(line).digest())


def test_carriage_returns_stay() -> None:
    """CRLF is data to those who hash it."""
    [(piece, _)] = split_lines([b"a\r\nb\r\n"], "u", ReadLimits())
    assert isinstance(piece, Chunk)
    assert piece.data == b"a\r\nb\r\n"


@given(st.sampled_from([b"", BOM, BOM[:2], BOM + BOM, b"\xef"]), st.binary(max_size=5), sizes)
def test_a_byte_order_mark_is_dropped_once(cut: Cut, start: bytes, rest: bytes, sizes: list[int]) -> None:
    """However the blocks are cut, exactly one whole mark at the start goes."""
    data = start + rest
    offset, blocks = drop_bom(cut(data, sizes))
    assert offset == (3 if data.startswith(BOM) else 0)
    assert b"".join(blocks) == data[offset:]


@given(texts, st.integers(0, 30))
def test_a_line_starts_after_a_line_feed(data: bytes, position: int) -> None:
    """The next line start is the first place, from the position on, that follows a line feed or begins the
    file."""
    position = min(position, len(data))
    starts = [0, *(at + 1 for at, byte in enumerate(data) if byte == ord("\n")), len(data)]
    assert line_start(io.BytesIO(data), position) == min(at for at in starts if at >= position)


def test_a_line_start_is_found_behind_a_very_long_line() -> None:
    """The search goes on over many blocks."""
    data = b"x" * 200_000 + b"\n" + b"y"
    assert line_start(io.BytesIO(data), 5) == 200_001


@given(st.lists(st.integers(0, 90_000), max_size=6), st.integers(1, 200_000), st.data())
def test_line_blocks_are_the_range(lengths: list[int], size: int, draw: st.DataObject) -> None:
    """Blocks are within their size and put together are the range, with long lines and short ones."""
    data = b"\n".join(b"x" * length for length in lengths)
    start = draw.draw(st.integers(0, len(data)))
    end = draw.draw(st.none() | st.integers(start, len(data)))
    blocks = list(line_blocks(io.BytesIO(data), start, end, size))
    assert b"".join(blocks) == data[start:end]
    assert all(0 < len(block) <= size for block in blocks)


def test_line_blocks_end_with_a_line() -> None:
    """With lines shorter than 64 KiB every block but the last ends with a line feed, so that none is
    joined."""
    data = (b"x" * 999 + b"\n") * 500
    blocks = list(line_blocks(io.BytesIO(data), 0, None, 100_500))
    assert len(blocks) == 5
    assert all(block.endswith(b"\n") for block in blocks)


def test_line_feeds_are_counted_over_many_pieces() -> None:
    """The count by pieces is the count of the whole."""
    data = b"ab\n" * 300_000 + b"\n"
    assert count_line_feeds(data) == 300_001
    assert count_line_feeds(b"") == 0
