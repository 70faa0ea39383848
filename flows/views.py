"""Views over files: read side by side, written in the order of the input."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

import polars as pl

from schemas.errors import UsageError
from schemas.reasons import Reason
from schemas.records import Chunk, OversizedLine
from schemas.view_definition import parse_view
from sources.expecting import EXPECTED, Expecting
from sources.source import Reading, ReadLimits, Source
from transforms.decode.lines import text_bytes
from transforms.views import CompiledView, compile_view
from transforms.views.output import LINE, Format, header
from transforms.views.read import ViewReader, ViewRows, asked_by

# For each chunk DuckDB plans the query anew: large ones, as nothing but the query is done with them.
READ = ReadLimits(chunk_bytes=2 * ReadLimits().chunk_bytes)


@dataclass(slots=True)
class ViewReport:
    """What a run came to: resources of the view's type read, rows written, lines refused by reason."""

    read: int = 0
    rows: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)

    def refusals(self) -> str:
        """``3 lines refused: 2 malformed_json, 1 wrong_type``; empty when there are none."""
        total = self.refused.total()
        counts = sorted(((number, reason) for reason, number in self.refused.items()), key=lambda c: (-c[0], c[1]))
        told = ", ".join(f"{number} {reason}" for number, reason in counts)
        return f"{total} line{'s' * (total != 1)} refused: {told}" if total else ""


def read_view(path: Path) -> CompiledView:
    """The compiled view of a file. Raises UsageError for a file that cannot be read or is no right view."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UsageError(f"the view {path} cannot be read: {error.strerror}") from None
    try:
        return compile_view(parse_view(text))
    except UsageError as error:
        raise UsageError(f"{path}: {' '.join(str(error).split())}") from None


def run_view(view: CompiledView, source: Source, form: Format, out: BinaryIO, workers: int) -> ViewReport:
    """Write the view's rows over all that a source has; the report says what was read and refused.

    Raises UsageError when the data break a promise of the view, and the errors of the source.
    """
    report = ViewReport()
    readers = _Readers(view, form)
    sink = _sink(view, form, out, readers.empty())
    with ThreadPoolExecutor(workers, thread_name_prefix="clinmart") as pool:
        asyncio.run(_Run(source, readers.read, pool, workers, sink, report).all())
    sink.close()
    return report


class _Readers:
    """A reader for every thread that asks."""

    def __init__(self, view: CompiledView, form: Format) -> None:
        self._asked = asked_by(view, form)
        self._local = threading.local()

    def read(self, item: Chunk | OversizedLine) -> ViewRows:
        return self._own().read(item)

    def empty(self) -> pl.DataFrame:
        return self._own().empty()

    def _own(self) -> ViewReader:
        reader: ViewReader | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._local.reader = ViewReader(self._asked)
        return reader


class _Run:
    """Reads partitions one after the other; while threads work on chunks, finished ones are written in order."""

    def __init__(
        self,
        source: Source,
        work: Callable[[Chunk | OversizedLine], ViewRows],
        pool: ThreadPoolExecutor,
        workers: int,
        sink: _Sink,
        report: ViewReport,
    ) -> None:
        self._source, self._work, self._pool, self._workers = source, work, pool, workers
        self._sink, self._report = sink, report
        self._waiting: deque[asyncio.Future[ViewRows]] = deque()

    async def all(self) -> None:
        """Read everything."""
        partitions = await asyncio.to_thread(self._source.partitions)
        for number, partition in enumerate(partitions, 1):
            far = [each for each in partitions[number : number + EXPECTED] if each.etag is not None]
            if far and isinstance(self._source, Expecting):
                self._source.expect(far)
            reading = self._source.read(partition)
            try:
                await self._chunks(reading)
            finally:
                await reading.aclose()
        await self._write_down_to(0)

    async def _chunks(self, reading: Reading) -> None:
        async for item in reading:
            # One chunk more than there are workers may wait, so that none of them ever does.
            await self._write_down_to(self._workers)
            self._waiting.append(asyncio.get_running_loop().run_in_executor(self._pool, self._work, item))

    async def _write_down_to(self, waiting: int) -> None:
        while len(self._waiting) > waiting:
            found = await self._waiting.popleft()
            self._sink.write(found.rows)
            self._report.read += found.read
            self._report.rows += found.rows.height
            self._report.refused += found.refused


class _Sink(Protocol):
    """Takes the rows of chunks in order."""

    def write(self, rows: pl.DataFrame) -> None: ...

    def close(self) -> None: ...


def _sink(view: CompiledView, form: Format, out: BinaryIO, empty: pl.DataFrame) -> _Sink:
    return _TextSink(out, header(view, form)) if form.is_text else _ParquetSink(out, empty)


class _TextSink:
    """Rows that are texts already."""

    def __init__(self, out: BinaryIO, head: bytes) -> None:
        self._out = out
        self._head = head

    def write(self, rows: pl.DataFrame) -> None:
        self._out.write(self._head)
        self._head = b""
        self._out.write(text_bytes(rows[LINE]))

    def close(self) -> None:
        self._out.write(self._head)
        self._out.flush()


class _ParquetSink:
    """A row group for every chunk that has rows."""

    def __init__(self, out: BinaryIO, empty: pl.DataFrame) -> None:
        import pyarrow.parquet as pq  # noqa: PLC0415 - a quarter of a second that other formats need not wait

        self._out = out
        self._writer = pq.ParquetWriter(_Counted(out), empty.to_arrow().schema, compression="zstd")

    def write(self, rows: pl.DataFrame) -> None:
        if rows.height:
            self._writer.write_table(rows.to_arrow())

    def close(self) -> None:
        self._writer.close()
        self._out.flush()


class _Counted:
    """A pipe that knows how much went through it, as the Parquet writer asks."""

    closed = False

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._written = 0

    def write(self, data: bytes) -> int:
        self._out.write(data)
        self._written += len(data)
        return len(data)

    def tell(self) -> int:
        return self._written

    def flush(self) -> None:
        self._out.flush()

    def close(self) -> None:
        self._out.flush()

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False
