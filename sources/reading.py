"""A pass over a partition as an asynchronous iterator, one chunk ahead of its consumer."""

from __future__ import annotations

import asyncio

from schemas.records import Chunk, OversizedLine
from sources.lines import Piece
from sources.passes import Pass


class AheadReading:
    """A :class:`sources.source.Reading`. Being its own iterator, it closes the file when it is dropped.

    Each step (read, unpack, split, hash) runs in a worker thread, and the next one begins when a chunk is
    handed out. So the event loop never waits for a disk, and memory holds the consumer's chunk, the next
    one, and what a step itself needs, however long the file is.
    """

    def __init__(self, run: Pass) -> None:
        self.lines = 0
        self._run = run
        self._pieces = run.pieces()
        self._next: asyncio.Future[Piece | None] | None = None
        self._over = False

    @property
    def sha256(self) -> bytes:
        """SHA-256 of the partition's bytes on disk; raises RuntimeError before the reading is exhausted."""
        if self._run.sha256 is None or not self._over:
            raise RuntimeError("the hash of a partition is known only when it has been read to its end")
        return self._run.sha256

    @property
    def bytes_read(self) -> int:
        """Bytes on disk read so far. A document is read twice and counted the second time."""
        return self._run.bytes_read

    def __aiter__(self) -> AheadReading:
        return self

    async def __anext__(self) -> Chunk | OversizedLine:
        if self._over:
            raise StopAsyncIteration
        if self._next is None:
            self._next = self._begin_step()
        # Shielded: a cancelled consumer may come back for the chunk, and two steps must never run at once.
        await asyncio.wait([self._next])
        step, self._next = self._next, None
        self._over = step.exception() is not None or step.result() is None
        piece = step.result()
        if piece is None:
            raise StopAsyncIteration
        self._next = self._begin_step()
        self.lines += piece[1]
        return piece[0]

    async def aclose(self) -> None:
        """Stop reading and close the file. Harmless when repeated."""
        self._over = True
        self._run.stop.set()
        if self._next is not None:
            await asyncio.wait([self._next])
        await asyncio.to_thread(self._pieces.close)

    def _begin_step(self) -> asyncio.Future[Piece | None]:
        step = asyncio.get_running_loop().run_in_executor(None, self._step)
        step.add_done_callback(_see)
        return step

    def _step(self) -> Piece | None:
        return next(self._pieces, None)


def _see(step: asyncio.Future[Piece | None]) -> None:
    """Take note of an error that nobody may come to fetch, so that it is not reported as forgotten."""
    if not step.cancelled():
        step.exception()
