"""Reading ahead in a thread: the loop stays free, memory stays bounded, and files are closed."""

from __future__ import annotations

import asyncio
import gc
import gzip
import io
import threading
from collections.abc import Callable
from contextlib import aclosing
from itertools import pairwise

import pytest

from schemas.errors import IntegrityError
from schemas.records import Chunk, Partition
from sources.line_numbers import LineNumbers
from sources.passes import Pass
from sources.reading import AheadReading
from sources.source import ReadLimits
from sources.stored import StoredFile

TEXT = b"".join(b"%05d\n" % n for n in range(50))
LIMITS = ReadLimits(chunk_bytes=6, line_bytes=100)


class _Watched(io.BytesIO):
    """A file that tells when it is read and where from."""

    def __init__(self, content: bytes, on_read: Callable[[], object] = lambda: None) -> None:
        super().__init__(content)
        self.threads: set[int] = set()
        self.reads = 0
        self._on_read = on_read

    def read(self, size: int | None = -1) -> bytes:
        self.threads.add(threading.get_ident())
        self.reads += 1
        self._on_read()
        return super().read(size)


def _reading(file: io.BytesIO, name: str = "a.ndjson", limits: ReadLimits = LIMITS) -> AheadReading:
    stored = StoredFile(name, lambda: file)
    return AheadReading(Pass(stored, Partition(name), limits, LineNumbers(), None))


def test_the_loop_thread_reads_nothing() -> None:
    """Every read happens in a worker thread."""
    file = _Watched(TEXT)

    async def run() -> int:
        return len([chunk async for chunk in _reading(file)])

    assert asyncio.run(run()) == 50
    assert file.threads
    assert threading.get_ident() not in file.threads


def test_the_loop_runs_while_a_read_waits() -> None:
    """A read that never returns by itself is let go by another task of the same loop."""
    gate = threading.Event()
    file = _Watched(TEXT, on_read=lambda: gate.wait(60))

    async def open_gate() -> None:
        gate.set()

    async def run() -> int:
        reading = _reading(file)
        chunks, _ = await asyncio.gather(anext(reading), open_gate())
        await reading.aclose()
        assert isinstance(chunks, Chunk)
        return len(chunks.data)

    assert asyncio.run(run()) == 6


def test_it_reads_one_chunk_ahead_and_no_more() -> None:
    """While the consumer has a chunk, the next is made ready; a slow consumer does not fill the memory."""
    file = _Watched(TEXT)

    async def run() -> list[int]:
        reads = []
        async with aclosing(_reading(file)) as reading:
            for _ in range(5):
                await anext(reading)
                assert reading._next is not None
                await asyncio.wait([reading._next])
                reads.append(file.reads)
        return reads

    reads = asyncio.run(run())
    per_chunk = {after - before for before, after in pairwise(reads)}
    assert per_chunk == {1}


def test_closing_early_closes_the_file() -> None:
    """A consumer that leaves: by aclose, also twice, also before it began."""
    for taken in range(3):
        file = _Watched(TEXT)

        async def run(taken: int = taken, file: _Watched = file) -> None:
            reading = _reading(file)
            for _ in range(taken):
                await anext(reading)
            if reading._next is not None:  # the next chunk is ready: nothing is at work that could notice by itself
                await asyncio.wait([reading._next])
            await reading.aclose()
            assert file.closed or not file.reads
            await reading.aclose()
            with pytest.raises(StopAsyncIteration):
                await anext(reading)
            with pytest.raises(RuntimeError, match="read to its end"):
                reading.sha256  # noqa: B018 - asking is the point

        asyncio.run(run())


def test_a_dropped_reading_closes_its_file() -> None:
    """A loop that is left with break, with no aclose."""
    file = _Watched(TEXT)

    async def run() -> None:
        async for _ in _reading(file):
            break

    asyncio.run(run())
    gc.collect()
    assert file.closed


def test_an_exhausted_reading_has_closed_its_file() -> None:
    """Without being told to."""
    file = _Watched(TEXT)

    async def run() -> None:
        reading = _reading(file)
        async for _ in reading:
            pass
        assert file.closed
        assert reading.lines == 50

    asyncio.run(run())


def test_a_failed_reading_has_closed_its_file() -> None:
    """And gives nothing more."""
    file = _Watched(b'{"resourceType":"Bundle"')

    async def run() -> None:
        reading = _reading(file, "a.json")
        with pytest.raises(IntegrityError):
            await anext(reading)
        assert file.closed
        with pytest.raises(StopAsyncIteration):
            await anext(reading)

    asyncio.run(run())


def test_an_error_ahead_waits_for_its_turn() -> None:
    """The chunks before the damage are handed out first, then the error, then nothing."""
    file = _Watched(gzip.compress(TEXT) * 3 + b"no gzip")

    async def run() -> list[bytes]:
        reading, found = _reading(file, "a.ndjson.gz"), []
        with pytest.raises(IntegrityError, match="no gzip follow its end"):
            async for chunk in reading:
                assert isinstance(chunk, Chunk)
                found.append(chunk.data)
        assert [chunk async for chunk in reading] == []
        return found

    assert (TEXT * 3).startswith(b"".join(asyncio.run(run())))


def test_nobody_hears_of_an_error_after_leaving() -> None:
    """A consumer that closes before the damage is reached, or drops the reading, has no use for it."""
    complaints: list[object] = []

    async def run(close: bool) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        reading = _reading(_Watched(gzip.compress(TEXT[:12]) + b"no gzip"), "a.ndjson.gz")
        await anext(reading)
        assert reading._next is not None
        await asyncio.wait([reading._next])
        assert "IntegrityError" in repr(reading._next)  # to ask for the exception would be to hear of it
        if close:
            await reading.aclose()
        del reading
        gc.collect()

    asyncio.run(run(close=True))
    asyncio.run(run(close=False))
    assert complaints == []


def test_a_cancelled_consumer_may_come_back() -> None:
    """A chunk that was asked for in vain is the next one: none is lost, and no two steps run at once."""
    gate = threading.Event()
    file = _Watched(TEXT, on_read=lambda: gate.wait(60))

    async def run() -> list[bytes]:
        reading = _reading(file)
        asked = asyncio.ensure_future(anext(reading))
        await asyncio.sleep(0)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        gate.set()
        return [chunk.data async for chunk in reading if isinstance(chunk, Chunk)]

    assert b"".join(asyncio.run(run())) == TEXT


def test_closing_stops_a_long_first_pass() -> None:
    """A Bundle is read through before its first entry comes; that need not be waited for."""
    began = threading.Event()
    endless = _Endless(began)

    async def run() -> None:
        reading = _reading(endless, "a.json", ReadLimits())
        asked = asyncio.ensure_future(anext(reading))
        await asyncio.to_thread(began.wait, 60)
        asked.cancel()
        await reading.aclose()

    asyncio.run(run())
    assert endless.closed


class _Endless(io.BytesIO):
    """A Bundle without end."""

    def __init__(self, began: threading.Event) -> None:
        super().__init__()
        self._began = began
        self._reads = 0

    def read(self, size: int | None = -1) -> bytes:
        self._reads += 1
        if self._reads > 3:
            self._began.set()
        return b'{"entry":[{}' if self._reads in (1, 2, 3) else b",{}" * 1000


def test_many_readings_at_once() -> None:
    """Partitions are read side by side by one loop."""

    async def one() -> bytes:
        return b"".join([chunk.data async for chunk in _reading(io.BytesIO(TEXT)) if isinstance(chunk, Chunk)])

    async def run() -> list[bytes]:
        return await asyncio.gather(*(one() for _ in range(20)))

    assert asyncio.run(run()) == [TEXT] * 20
