"""A load in this process, without an orchestrator: read, transform and stage side by side, then commit unit by unit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from flows.commit_unit import Read
from flows.drain import Drain
from flows.opening import open_session
from flows.session import LoadSession
from flows.settings import LoadSettings
from schemas import signals
from schemas.errors import ChangedError, IntegrityError, TryAgainError
from schemas.records import Chunk, ChunkKind, LoadReport, Partition
from schemas.signals import CHUNKS_IN_FLIGHT, READ_BYTES
from schemas.staged import StagedChunk
from sources.arriving import Arriving
from sources.expecting import EXPECTED, Expecting
from sources.source import Reading, Source
from stores.tail import TailReceipt


@dataclass(slots=True)
class Progress:
    """How far a load is; bytes are bytes on disk."""

    total: int = 0
    done: int = 0
    rows: int = 0
    quarantined: int = 0
    phase: str = "reading"


_A_TYPE = 256 * 1024  # bytes whose work takes as long as what is done once for every type

_XML_WEIGHT = 3  # bytes of a document to one of the rows that are made of it

_Item = TypeVar("_Item")
Watcher = Callable[[Progress], None]


def run_load(
    source: Source,
    settings: LoadSettings,
    watch: Watcher | None = None,
    drain: Drain | None = None,
    lost: Sequence[TailReceipt] = (),
) -> LoadReport:
    """Load everything a source has into the mart; the report says what became of every line. ``lost``: see
    :func:`flows.opening.open_session`.

    A load that is drained reads no further, commits the partitions that it has read whole, and reports `drained`; the
    same load again takes up there.

    Raises the errors of :mod:`schemas.errors`. A damaged file is refused whole and named in ``report.refused``; the
    others load. An object that changed meanwhile is named in ``report.deferred``, and so is the first that cannot be
    had any more: then no further one is asked for, and what was read whole is committed.
    """
    partitions = source.arrivals() if isinstance(source, Arriving) else source.partitions()
    with signals.span("clinmart.run", source=settings.source), open_session(settings, lost=lost) as session:
        read_all(source, session, partitions, watch, drain)
        session.finish(source.manifests, partitions if isinstance(partitions, Sequence) else source.partitions())
    return session.report


def read_all(
    source: Source,
    session: LoadSession,
    partitions: Sequence[Partition] | AsyncIterator[Partition],
    watch: Watcher | None = None,
    drain: Drain | None = None,
) -> None:
    """Read partitions and stage them; what fills a commit unit is committed, the rest is left to the session's end."""
    asyncio.run(_Run(source, session, watch or (lambda _: None), drain or Drain()).all(partitions))


@dataclass(slots=True)
class _Open:
    """A partition that was read; ``share`` is its part of the work that was done for several together, on the chunks
    that wait in ``small``.
    """

    partition: Partition
    reading: Reading
    tasks: list[asyncio.Future[StagedChunk]]
    small: list[Chunk] = field(default_factory=list)
    share: slice | None = None

    async def chunks(self) -> list[StagedChunk]:
        """What its chunks became, once they are staged."""
        done = await asyncio.gather(*self.tasks)
        return done if self.share is None else [chunk.only(self.share) for chunk in done]


@dataclass(slots=True)
class _Together:
    """Small partitions that were read whole and wait to be worked on together."""

    as_of: datetime
    parts: list[_Open] = field(default_factory=list)
    size: int = 0

    def add(self, part: _Open) -> None:
        self.parts.append(part)
        self.size += sum(map(_weight, part.small))

    def spread(self, hands: int) -> list[_Together]:
        """The same in as many lots of about equal size, the largest parts first; fewer when there are fewer parts."""
        lots = [_Together(self.as_of) for _ in range(min(hands, len(self.parts)))]
        for part in sorted(self.parts, key=lambda part: part.partition.size, reverse=True):
            min(lots, key=lambda lot: lot.size + len(lot.parts) * _A_TYPE).add(part)
        return lots


def _weight(chunk: Chunk) -> int:
    """About how many bytes of rows a chunk becomes."""
    return len(chunk.data) // (_XML_WEIGHT if chunk.kind is ChunkKind.CCDA else 1)


class _Drained(Exception):
    """Reading stops in the middle of a partition."""


async def _each(partitions: Sequence[Partition] | AsyncIterator[Partition]) -> AsyncIterator[Partition]:
    if isinstance(partitions, Sequence):
        for partition in partitions:
            yield partition
    else:
        async for partition in partitions:
            yield partition


class _Run:
    """Reads partitions one after the other while threads work on their chunks."""

    def __init__(self, source: Source, session: LoadSession, watch: Watcher, drain: Drain) -> None:
        self._source = source
        self._drain = drain
        self._session = session
        self._watch = watch
        self._progress = Progress()
        self._open: list[_Open] = []
        self._together: _Together | None = None
        self._out_of_reach = False  # the store of the last object
        self._changed: set[str] = set()  # objects of which nothing more is read
        self._enough = session.settings.limits.chunk_bytes // 2  # bytes worked on together
        self._in_flight = 0  # chunks that are read and not yet staged

    async def all(self, partitions: Sequence[Partition] | AsyncIterator[Partition]) -> None:
        """Read all partitions, those that are still to arrive as they do; commit whenever a unit is full, and at the
        end.
        """
        if isinstance(partitions, Sequence):
            self._progress.total = sum(p.size for p in partitions)
        workers = self._session.settings.workers
        # One chunk more than there are workers may be in memory, so that none of them ever waits for a read.
        self._places = asyncio.Semaphore(workers + 1)
        with ThreadPoolExecutor(workers, thread_name_prefix="clinmart") as pool:
            self._pool = pool
            number = 0
            async for partition in _each(partitions):
                if self._drain.asked:
                    self._session.report.status = "drained"
                    break
                if self._out_of_reach:
                    break
                number += 1
                if isinstance(partitions, Sequence):
                    self._expect(partitions[number : number + EXPECTED])
                else:
                    self._progress.total += partition.size
                await self._partition(partition)
                if sum(o.partition.size for o in self._open) >= self._session.settings.unit_bytes:
                    await self._settle()
            if isinstance(self._source, Arriving) and not self._source.complete:
                self._session.report.status = "drained"
            await self._settle(last=True)

    def _expect(self, soon: Sequence[Partition]) -> None:
        """Tell a source that is far away what will be read next."""
        known = self._session.accounts.objects
        far = [each for each in soon if each.etag is not None and known.find(each) is None]
        if far and isinstance(self._source, Expecting):
            self._source.expect(far)

    async def _partition(self, partition: Partition) -> None:
        """Read one partition, unless its receipt says that it need not be."""
        if partition.uri in self._changed:
            return
        with signals.span("clinmart.partition", size=partition.size):
            await self._read_partition(partition)
        signals.tell(READ_BYTES, partition.size, source=self._session.settings.source)

    async def _read_partition(self, partition: Partition) -> None:
        session, done = self._session, self._progress.done
        session.report.bytes += partition.size
        opened: _Open | None = None
        try:
            manifest = self._source.as_of(partition)
            if not await asyncio.to_thread(session.is_done, partition, self._source.digest, manifest):
                as_of, _ = session.time_of(partition, manifest)
                opened = _Open(partition, self._source.read(partition), [])
                await self._opened(opened, as_of)
        except TryAgainError as error:
            await self._defer(error, partition, opened)
        finally:
            if opened is not None:
                await opened.reading.aclose()
            self._advance(done + partition.size)

    async def _defer(self, error: TryAgainError, partition: Partition, opened: _Open | None) -> None:
        """Leave a partition to the next load: of an object that changed its other ranges too, of a store that cannot be
        reached all that is to come.
        """
        session = self._session
        session.report.deferred.append(str(error))
        session.defer(partition, await opened.chunks() if opened else ())
        if not isinstance(error, ChangedError):
            self._out_of_reach = True
            return
        self._changed.add(partition.uri)
        # Ranges that were worked on together with other files cannot be told from them; ranges are never that small.
        for other in [o for o in self._open if o.partition.uri == partition.uri and o.share is None and not o.small]:
            self._open.remove(other)
            session.defer(other.partition, await other.chunks())

    async def _opened(self, opened: _Open, as_of: datetime) -> None:
        """Read a partition to its end, and keep what is to be committed of it."""
        session = self._session
        try:
            small = await self._read(opened, as_of)
        except _Drained:
            session.leave_out(opened.partition, await opened.chunks())
        except IntegrityError as error:
            session.refuse(str(error), await opened.chunks())
        else:
            if small:
                await self._wait_for_others(opened, small, as_of)
            else:
                self._open.append(opened)

    async def _read(self, opened: _Open, as_of: datetime) -> list[Chunk]:
        """Give a partition's chunks to the workers; those of a small one, when it is read whole, are returned."""
        done, kept = self._progress.done, list[Chunk]()
        async for item in opened.reading:
            if self._drain.asked:
                raise _Drained
            if isinstance(item, Chunk) and not opened.tasks and sum(map(_weight, kept)) < self._enough // 4:
                kept.append(item)
                continue
            for early in (*kept, item):
                opened.tasks.append(await self._submit(self._session.worker.run, early, as_of))
            kept = []
            self._advance(done + opened.reading.bytes_read)
            for task in opened.tasks:
                if task.done() and (error := task.exception()) is not None:
                    raise error
        return kept

    async def _wait_for_others(self, opened: _Open, chunks: list[Chunk], as_of: datetime) -> None:
        """Put a small partition with others, until together they are worth a worker's while."""
        if self._together is not None and self._together.as_of != as_of:
            await self._work_together()
        opened.small = chunks
        together = self._together = self._together or _Together(as_of)
        together.add(opened)
        self._open.append(opened)
        if together.size >= self._enough:
            await self._work_together()

    async def _work_together(self, hands: int = 1) -> None:
        together, self._together = self._together, None
        for lot in together.spread(hands) if together is not None else ():
            chunks: list[Chunk] = []
            for part in lot.parts:
                part.share = slice(len(chunks), len(chunks) + len(part.small))
                chunks += part.small
                part.small = []
            task = await self._submit(self._session.worker.run_together, chunks, lot.as_of)
            for part in lot.parts:
                part.tasks.append(task)

    async def _submit(
        self, work: Callable[[_Item, datetime], StagedChunk], item: _Item, as_of: datetime
    ) -> asyncio.Future[StagedChunk]:
        await self._places.acquire()
        self._fly(1)
        task = asyncio.get_running_loop().run_in_executor(self._pool, work, item, as_of)
        task.add_done_callback(self._one_staged)
        return task

    def _one_staged(self, task: asyncio.Future[StagedChunk]) -> None:
        self._places.release()
        self._fly(-1)
        if not task.cancelled() and task.exception() is None:
            for counts in task.result().counts.values():
                self._progress.rows += counts.read
                self._progress.quarantined += counts.quarantined
            self._watch(self._progress)

    async def _settle(self, *, last: bool = False) -> None:
        """Wait for the workers, hand everything staged to the session and let it commit what is full."""
        await self._work_together(self._session.settings.workers)
        for opened in self._open:
            as_of, given = self._session.time_of(opened.partition, self._source.as_of(opened.partition))
            reading, chunks = opened.reading, await opened.chunks()
            self._session.add(Read(opened.partition, as_of, given, reading.sha256, reading.lines, chunks))
        self._open = []
        full = self._session.unit.is_full
        if last or full:
            self._progress.phase = "committing"
            self._watch(self._progress)
        if full and not last:  # the last unit is committed when the load is finished
            await asyncio.to_thread(self._session.commit)
            self._progress.phase = "reading"

    def _fly(self, more: int) -> None:
        self._in_flight += more
        signals.tell(CHUNKS_IN_FLIGHT, self._in_flight)

    def _advance(self, done: int) -> None:
        self._progress.done = done
        self._watch(self._progress)
