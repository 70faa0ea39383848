"""A load in this process, without an orchestrator: read, transform and stage side by side, then commit unit by unit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from flows.session import LoadSession, Read, open_session
from flows.settings import LoadSettings
from flows.worker import StagedChunk
from schemas.errors import IntegrityError
from schemas.records import LoadReport, Partition
from sources.source import Reading, Source


@dataclass(slots=True)
class Progress:
    """How far a load is; bytes are bytes on disk."""

    total: int = 0
    done: int = 0
    rows: int = 0
    quarantined: int = 0
    phase: str = "reading"


Watcher = Callable[[Progress], None]


def run_load(source: Source, settings: LoadSettings, watch: Watcher | None = None) -> LoadReport:
    """Load everything a source has into the mart; the report says what became of every line.

    Raises the errors of :mod:`schemas.errors`. A damaged file is refused whole and named in ``report.refused``; the
    others load.
    """
    partitions = source.partitions()
    with open_session(settings) as session:
        asyncio.run(_Run(source, session, watch or (lambda _: None)).all(partitions))
        session.finish()
    return session.report


class _Run:
    """Reads partitions one after the other while threads work on their chunks."""

    def __init__(self, source: Source, session: LoadSession, watch: Watcher) -> None:
        self._source = source
        self._session = session
        self._watch = watch
        self._progress = Progress()
        self._open: list[tuple[Partition, Reading, Sequence[asyncio.Future[StagedChunk]]]] = []

    async def all(self, partitions: Sequence[Partition]) -> None:
        """Read all partitions; commit whenever a unit is full, and at the end."""
        self._progress.total = sum(p.size for p in partitions)
        workers = self._session.settings.workers
        # One chunk more than there are workers may be in memory, so that none of them ever waits for a read.
        self._places = asyncio.Semaphore(workers + 1)
        with ThreadPoolExecutor(workers, thread_name_prefix="clinmart") as pool:
            self._pool = pool
            for partition in partitions:
                await self._partition(partition)
                if sum(p.size for p, _, _ in self._open) >= self._session.settings.unit_bytes:
                    await self._settle()
            await self._settle(last=True)

    async def _partition(self, partition: Partition) -> None:
        """Read one partition, unless its receipt says that it need not be."""
        session, done = self._session, self._progress.done
        session.report.bytes += partition.size
        as_of, given = session.time_of(self._source.as_of(partition))
        if session.receipts.may_know(partition.size):
            sha256 = await asyncio.to_thread(self._source.digest, partition)
            known = session.receipts.find(partition.size, sha256, as_of if given else None)
            if known is not None:
                session.skip(known)
                self._advance(done + partition.size)
                return
        reading = self._source.read(partition)
        tasks: list[asyncio.Future[StagedChunk]] = []
        try:
            await self._read(reading, partition, tasks)
        except IntegrityError as error:
            session.refuse(str(error), await asyncio.gather(*tasks))
        else:
            self._open.append((partition, reading, tasks))
        finally:
            await reading.aclose()
            self._advance(done + partition.size)

    async def _read(self, reading: Reading, partition: Partition, tasks: list[asyncio.Future[StagedChunk]]) -> None:
        as_of, _ = self._session.time_of(self._source.as_of(partition))
        done = self._progress.done
        async for item in reading:
            await self._places.acquire()
            task = asyncio.get_running_loop().run_in_executor(self._pool, self._session.worker.run, item, as_of)
            task.add_done_callback(self._one_staged)
            tasks.append(task)
            self._advance(done + reading.bytes_read)
            for one in tasks:
                if one.done() and (error := one.exception()) is not None:
                    raise error

    def _one_staged(self, task: asyncio.Future[StagedChunk]) -> None:
        self._places.release()
        if not task.cancelled() and task.exception() is None:
            for counts in task.result().counts.values():
                self._progress.rows += counts.read
                self._progress.quarantined += counts.quarantined
            self._watch(self._progress)

    async def _settle(self, *, last: bool = False) -> None:
        """Wait for the workers, hand everything staged to the session and let it commit."""
        for partition, reading, tasks in self._open:
            as_of, given = self._session.time_of(self._source.as_of(partition))
            chunks = await asyncio.gather(*tasks)
            self._session.add(Read(partition, as_of, given, reading.sha256, reading.lines, chunks))
        self._open = []
        if last or self._session.unit_is_full():
            self._progress.phase = "committing"
            self._watch(self._progress)
            await asyncio.to_thread(self._session.commit)
            self._progress.phase = "reading"

    def _advance(self, done: int) -> None:
        self._progress.done = done
        self._watch(self._progress)
