"""One resource over many lines of a file, as one line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from schemas.records import Chunk, ChunkKind
from sources.lines import Piece
from sources.oversized import LongLine
from sources.skeleton import BLANK, on_one_line
from sources.source import ReadLimits


def resource_pieces(blocks: Iterable[bytes], uri: str, limits: ReadLimits, *, offset: int = 0) -> Iterator[Piece]:
    """The whole content as one line, without the blanks around it; nothing when it is all blank.

    A line feed or carriage return becomes a space: both are whitespace between the tokens of JSON and
    forbidden within them, so lengths, offsets and values stay. A content above ``line_bytes`` is one
    :class:`OversizedLine`, of the bytes as received.
    """
    parts: list[bytes] = []
    held = 0
    long: LongLine | None = None
    for block in blocks:
        part = block
        if not held:
            part = block.lstrip(BLANK)
            offset += len(block) - len(part)
        held += len(part)
        if long is not None:
            long.feed(part)
            continue
        parts.append(part)
        if held > limits.line_bytes:
            long = LongLine(uri, offset, 1)
            for each in parts:
                long.feed(each)
            parts = []
    if long is not None:
        yield long.finish(), 1
    elif held:
        data = on_one_line(b"".join(parts).rstrip(BLANK)) + b"\n"
        yield Chunk(uri, offset, 1, data, ChunkKind.RESOURCE, (offset,)), 1
