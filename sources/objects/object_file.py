"""An object as a file that is open: read in ranges as they are needed, a little ahead of the reader.

Sources read files front to back, with looks at the beginning and short looks ahead (:func:`sources.lines.line_blocks`).
So whole blocks are got, the next ones before they are asked for, and the last few kept: memory holds 40 MiB of an
object, however long it is.
"""

from __future__ import annotations

import io
from concurrent.futures import Future
from typing import Any

from sources.objects.address import ObjectAddress
from sources.objects.bucket import Bucket, Listed

BLOCK_BYTES = 4 * 1024 * 1024
_AHEAD = 4  # blocks that are on their way while the reader works
_KEPT = 10  # blocks, those on their way among them: a chunk of 16 MiB lies in 5


class ObjectFile(io.RawIOBase):
    """``listed`` is what is read, and nothing but that: a read raises ChangedError when the store has another content.

    Raises TryAgainError when the store cannot be reached, StorageError when it refuses.
    """

    def __init__(self, bucket: Bucket, listed: Listed, first: Future[bytes] | None = None) -> None:
        """``first``: the first block, which is on its way already."""
        super().__init__()
        self._bucket = bucket
        self._listed = listed
        self._key = ObjectAddress.parse(listed.uri).key
        self._at = 0
        self._blocks: dict[int, Future[bytes]] = {} if first is None else {0: first}
        self._furthest = -1  # the last block that a read needed

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The position in bytes."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move; nothing is read."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._listed.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        """Fill the buffer as far as the object goes."""
        data = self.read(len(memoryview(buffer).cast("B")))
        memoryview(buffer).cast("B")[: len(data)] = data
        return len(data)

    def read(self, size: int | None = -1, /) -> bytes:
        """The next ``size`` bytes, fewer only at the end; all that is left for -1."""
        left = max(0, self._listed.size - self._at)
        want = left if size is None or size < 0 else min(size, left)
        if not want:
            return b""
        first, last = self._at // BLOCK_BYTES, (self._at + want - 1) // BLOCK_BYTES
        parts = []
        for number in range(first, last + 1):
            data = self._block(number, last)
            begin = max(0, self._at - number * BLOCK_BYTES)
            end = self._at + want - number * BLOCK_BYTES
            parts.append(data if begin == 0 and end >= len(data) else memoryview(data)[begin:end])
        self._at += want
        return bytes(parts[0]) if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        """Stop what is on its way."""
        for waiting in self._blocks.values():
            waiting.cancel()
        self._blocks.clear()
        super().close()

    def _block(self, number: int, last: int) -> bytes:
        """One block; those up to ``last`` and, when the reader goes on from the last ones, the next are begun too."""
        onward = 0 < number <= self._furthest + _AHEAD
        self._furthest = max(self._furthest, number)
        final = (self._listed.size - 1) // BLOCK_BYTES
        self._begin(number)
        for ahead in range(number + 1, min(final, max(last, number + _AHEAD * onward)) + 1):
            if ahead - number <= _AHEAD:
                self._begin(ahead)
        while len(self._blocks) > _KEPT:  # what lies behind goes first, then what lies farthest ahead
            behind, beyond = min(self._blocks), max(self._blocks)
            self._blocks.pop(behind if behind < number else beyond).cancel()
        return self._blocks[number].result()

    def _begin(self, number: int) -> None:
        if number not in self._blocks:
            start = number * BLOCK_BYTES
            end = min(self._listed.size, start + BLOCK_BYTES)
            self._blocks[number] = self._bucket.read(self._key, self._listed.etag, start, end)
