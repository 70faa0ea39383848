"""One XML document of a file, whole."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

from schemas.reasons import Reason
from schemas.records import Chunk, ChunkKind
from sources.lines import Piece
from sources.oversized import LongLine
from sources.source import ReadLimits


def document_pieces(blocks: Iterable[bytes], uri: str, limits: ReadLimits, *, offset: int = 0) -> Iterator[Piece]:
    """The whole content as one ``CCDA`` chunk; nothing when it is blank. One above ``limits.document_bytes`` is an
    :class:`OversizedLine`.

    The blocks are gathered in one buffer, which the chunk takes over: a list of them, joined, would be held twice.
    """
    held = io.BytesIO()
    size = lines = 0
    long: LongLine | None = None
    for block in blocks:
        lines += block.count(b"\n")
        size += len(block)
        if long is None and size > limits.document_bytes:
            long = LongLine(uri, offset, 1)
            long.feed(held.getvalue())
            held = io.BytesIO()
        if long is None:
            held.write(block)
        else:
            long.feed(block)
    if long is not None:
        yield long.finish(Reason.DOCUMENT_TOO_LONG), lines + 1
        return
    data = held.getvalue()
    if data.strip():
        yield Chunk(uri, offset, 1, data, ChunkKind.CCDA, (offset,), lengths=(size,)), lines + 1
