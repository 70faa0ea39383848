"""A load in this process, without an orchestrator: read, transform and stage side by side, then commit unit by unit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime

import duckdb

from flows.settings import LoadSettings, new_load_id
from flows.worker import StagedChunk, Worker
from schemas.errors import IntegrityError, StorageError
from schemas.records import Counts, LoadReport, Partition, Receipt, StagedUnit
from schemas.tables import all_tables, tables_by_type
from sources.source import Reading, Source
from stores.commit import commit, save_load
from stores.lock import loader_lock
from stores.mart import Mart
from stores.receipts import Known, Receipts
from stores.staging import Stage, clean_staging


@dataclass(slots=True)
class Progress:
    """How far a load is; bytes are bytes on disk."""

    total: int = 0
    done: int = 0
    rows: int = 0
    quarantined: int = 0
    phase: str = "reading"


Watcher = Callable[[Progress], None]


@dataclass(slots=True)
class _Staged:
    """A partition whose chunks are on their way or staged."""

    partition: Partition
    as_of: datetime
    given: bool
    tasks: list[asyncio.Future[StagedChunk]] = field(default_factory=list)
    sha256: bytes = b""
    lines: int = 0


def run_load(source: Source, settings: LoadSettings, watch: Watcher | None = None) -> LoadReport:
    """Load everything a source has into the mart; the report says what became of every line.

    Raises the errors of :mod:`schemas.errors`. A damaged file is refused whole and named in ``report.refused``; the
    others load.
    """
    partitions = source.partitions()
    mart = Mart(settings.mart, memory=settings.memory)
    now = datetime.now(UTC)
    report = LoadReport(new_load_id(now), settings.source, settings.as_of or now, now)
    began = time.monotonic()
    with ExitStack() as stack:
        _must_have_folder(settings)
        stack.enter_context(loader_lock(settings.mart, wait=settings.wait))
        mart.prepare(all_tables(), wait=settings.wait)
        clean_staging(settings.mart)
        stage = Stage(settings.mart, report.load_id)
        stack.callback(stage.close)
        load = _Load(source, settings, mart, stage, report, watch or (lambda _: None))
        asyncio.run(load.run(partitions))
        report.seconds = time.monotonic() - began
        load.finish()
    return report


def _must_have_folder(settings: LoadSettings) -> None:
    if not settings.mart.parent.is_dir():
        raise StorageError(f"cannot make the mart {settings.mart}: there is no folder {settings.mart.parent}")


class _Load:
    """The state of one load while it runs."""

    def __init__(
        self, source: Source, settings: LoadSettings, mart: Mart, stage: Stage, report: LoadReport, watch: Watcher
    ) -> None:
        self._source = source
        self._settings = settings
        self._mart = mart
        self._stage = stage
        self._report = report
        self._watch = watch
        self._worker = Worker(tables_by_type(), stage, settings.source, settings.sampling)
        self._types = {t.name: t.resource_type for t in all_tables()}
        self._unit = StagedUnit()
        self._waiting: list[_Staged] = []
        self._progress = Progress()
        with mart.connect(wait=settings.wait) as connection:
            self._receipts = Receipts(connection, settings.source)

    async def run(self, partitions: Sequence[Partition]) -> None:
        """Read all partitions; commit whenever a unit is full, and at the end."""
        self._progress.total = sum(p.size for p in partitions)
        # One chunk more than there are workers may be in memory, so that none of them ever waits for a read.
        self._places = asyncio.Semaphore(self._settings.workers + 1)
        with ThreadPoolExecutor(self._settings.workers, thread_name_prefix="clinmart") as pool:
            self._pool = pool
            for partition in partitions:
                await self._partition(partition)
                if self._unit_is_full() and not self._settings.strict:
                    await self._commit()
            await self._commit()

    def finish(self) -> None:
        """Settle the load's status and write it to the mart."""
        if self._report.refused:
            self._report.status = "failed"
        elif self._report.status == "ok" and self._report.total().quarantined:
            self._report.status = "quarantined"
        with self._mart.connect(wait=self._settings.wait) as connection:
            save_load(connection, self._report, finished=datetime.now(UTC))
            for table in (*self._types, "resource"):
                row = connection.execute(f'SELECT count(*) FROM main."{table}"').fetchone()
                if row and row[0]:
                    self._report.tables[table] = row[0]

    def _unit_is_full(self) -> bool:
        pending = sum(s.partition.size for s in self._waiting)
        return pending >= self._settings.unit_bytes or self._progress.rows - self._unit.rows >= self._settings.unit_rows

    async def _partition(self, partition: Partition) -> None:
        """Read one partition, unless its receipt says that it need not be."""
        told = self._settings.as_of or self._source.as_of(partition)
        self._report.bytes += partition.size
        if self._receipts.may_know(partition.size):
            sha256 = await asyncio.to_thread(self._source.digest, partition)
            known = self._receipts.find(partition.size, sha256, told)
            if known is not None:
                self._skip(known, partition)
                return
        staged = _Staged(partition, told or self._report.as_of, told is not None)
        done = self._progress.done
        reading = self._source.read(partition)
        try:
            await self._read(reading, staged)
        except IntegrityError as error:
            await self._refuse(staged, str(error))
        else:
            staged.sha256, staged.lines = reading.sha256, reading.lines
            self._waiting.append(staged)
        finally:
            await reading.aclose()
            self._progress.done = done + partition.size
            self._watch(self._progress)

    async def _read(self, reading: Reading, staged: _Staged) -> None:
        done = self._progress.done
        async for item in reading:
            await self._places.acquire()
            task = asyncio.get_running_loop().run_in_executor(self._pool, self._worker.run, item, staged.as_of)
            task.add_done_callback(self._one_staged)
            staged.tasks.append(task)
            self._progress.done = done + reading.bytes_read
            self._watch(self._progress)
            _raise_first(staged.tasks)

    def _one_staged(self, task: asyncio.Future[StagedChunk]) -> None:
        self._places.release()
        if not task.cancelled() and task.exception() is None:
            for counts in task.result().counts.values():
                self._progress.rows += counts.read
                self._progress.quarantined += counts.quarantined
            self._watch(self._progress)

    async def _refuse(self, staged: _Staged, why: str) -> None:
        """A damaged file leaves nothing behind."""
        for chunk in await asyncio.gather(*staged.tasks):
            self._stage.discard(chunk.paths)
        self._report.refused.append(why)

    def _skip(self, known: Known, partition: Partition) -> None:
        """Lines of a partition that was taken in before: duplicates, but for those that still stand in the
        quarantine.
        """
        for name, read, quarantined, suppressed in known.resources:
            counts = self._report.count(name)
            rest = read - quarantined - suppressed
            counts.add(Counts(read=read, duplicate=rest, quarantined=quarantined, suppressed=suppressed))
        self._progress.done += partition.size
        self._watch(self._progress)

    async def _commit(self) -> None:
        """Wait for the workers, then bring everything staged so far into the mart in one transaction."""
        if not self._waiting:
            return
        for staged in self._waiting:
            self._collect(staged, await asyncio.gather(*staged.tasks))
        self._waiting = []
        unit, self._unit = self._unit, StagedUnit()
        if self._settings.strict and (unit.rejections or self._report.refused):
            self._report.status = "failed"
            return
        self._progress.phase = "committing"
        self._watch(self._progress)
        await asyncio.to_thread(self._commit_unit, unit)
        self._progress.phase = "reading"
        self._stage.discard([t.path for t in unit.tables] + unit.rejections)

    def _commit_unit(self, unit: StagedUnit) -> None:
        with self._mart.connect(wait=max(self._settings.wait, _COMMIT_PATIENCE)) as connection:
            try:
                commit(connection, unit, self._report, self._types)
            except duckdb.Error as error:
                raise StorageError(f"the commit was rolled back: {type(error).__name__}") from error

    def _collect(self, staged: _Staged, chunks: Sequence[StagedChunk]) -> None:
        """Add a wholly staged partition to the commit unit, with its receipt."""
        counts: dict[str, Counts] = {}
        for chunk in chunks:
            self._unit.tables += chunk.tables
            self._unit.rejections += chunk.rejections
            self._unit.findings += chunk.findings
            for kind, rows in chunk.sampled.items():
                self._unit.sampled[kind] = self._unit.sampled.get(kind, 0) + rows
            for place, rows in chunk.unread.items():
                self._unit.unread[place] = self._unit.unread.get(place, 0) + rows
            for name, one in chunk.counts.items():
                counts.setdefault(name, Counts()).add(one)
                self._unit.rows += one.read
        self._unit.bytes += staged.partition.size
        self._unit.receipts.append(
            Receipt(staged.partition, staged.sha256, staged.lines, staged.as_of, staged.given, counts)
        )


_COMMIT_PATIENCE = 30.0  # seconds to wait for a reader that has the mart open when a commit is due


def _raise_first(tasks: Sequence[asyncio.Future[StagedChunk]]) -> None:
    for task in tasks:
        if task.done() and (error := task.exception()) is not None:
            raise error
