"""One load's hold on a mart: lock, staging area, receipts, report, and the commits. Runner and Prefect flow drive
it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from flows.preferred_units import read_preferred_units
from flows.settings import LoadSettings, new_load_id
from flows.worker import StagedChunk, Worker
from schemas.errors import StorageError
from schemas.records import Counts, LoadReport, Partition, Receipt, StagedUnit
from schemas.tables import all_tables, tables_by_type
from schemas.view_table import ViewTable
from stores.commit import commit, save_load
from stores.lock import loader_lock
from stores.mart import Mart
from stores.overview import table_rows
from stores.quarantine import refused_by_views
from stores.receipts import Known, Receipts
from stores.staging import Stage, clean_staging
from stores.tail import TailReceipt
from stores.views import views_of

_COMMIT_PATIENCE = 30.0  # seconds to wait for a reader that has the mart open when a commit is due


@dataclass(frozen=True, slots=True)
class Read:
    """A partition that was read to its end, and what its chunks became."""

    partition: Partition
    as_of: datetime
    given: bool  # whether that time was told, not taken from the clock
    sha256: bytes
    lines: int
    chunks: Sequence[StagedChunk]


class LoadSession:
    """The state of one load; use :func:`open_session`."""

    def __init__(
        self,
        settings: LoadSettings,
        mart: Mart,
        stage: Stage,
        report: LoadReport,
        receipts: Receipts,
        views: Sequence[ViewTable],
        preferred: Mapping[str, str],
    ) -> None:
        self.settings = settings
        self.report = report
        self.stage = stage
        self.receipts = receipts
        self.worker = Worker(tables_by_type(), views, stage, settings.source, settings.sampling, preferred)
        self._mart = mart
        self._tables = {t.name: t for t in all_tables()}
        self._unit = StagedUnit()
        self._again: dict[Partition, Known] = {}  # partitions that are read again
        self._skipped: set[str] = set()  # files of which partitions are not
        self._began = time.monotonic()

    def time_of(self, partition: Partition, manifest: datetime | None) -> tuple[datetime, bool]:
        """The time of rows without `meta.lastUpdated`: the user's, else a manifest's, else the one that the partition
        was given when it was first read, else the load's start.

        The second value says whether it was told.
        """
        told = self.settings.as_of or manifest
        again = self._again.get(partition)
        if told is None and again is not None:
            return again.as_of, again.as_of_given
        return told or self.report.as_of, told is not None

    def is_done(self, partition: Partition, digest: Callable[[Partition], bytes], manifest: datetime | None) -> bool:
        """True for a partition that was taken in before and need not be read again; its lines are counted."""
        if not self.receipts.may_know(partition.size):
            return False
        as_of, given = self.time_of(partition, manifest)
        known = self.receipts.find(partition.size, digest(partition), as_of if given else None)
        if known is None:
            return False
        if known.again:
            self._again[partition] = known
            return False
        self._skip(partition, known)
        return True

    def _skip(self, partition: Partition, known: Known) -> None:
        """Count a partition that was taken in before: duplicates, but for lines that still stand in the quarantine."""
        self._skipped.add(partition.uri)
        for name, read, quarantined, suppressed in known.resources:
            rest = read - quarantined - suppressed
            self.report.count(name).add(Counts(read, duplicate=rest, quarantined=quarantined, suppressed=suppressed))

    def refuse(self, why: str, chunks: Sequence[StagedChunk]) -> None:
        """Leave out a damaged file whole: nothing that was staged of it is committed."""
        for chunk in chunks:
            self.stage.discard(chunk.paths)
        self.report.refused.append(why)

    def leave_out(self, partition: Partition, chunks: Sequence[StagedChunk]) -> None:
        """Leave a partition that was not read to its end to the next load."""
        for chunk in chunks:
            self.stage.discard(chunk.paths)
        self.report.bytes -= partition.size
        self.report.status = "drained"

    def add(self, read: Read) -> None:
        """Add a partition to the commit unit, with its receipt."""
        counts: dict[str, Counts] = {}
        unit = self._unit
        for chunk in read.chunks:
            unit.tables += chunk.tables
            unit.views += chunk.views
            unit.views_refused += chunk.views_refused
            unit.rejections += chunk.rejections
            unit.findings += chunk.findings
            for kind, rows in chunk.sampled.items():
                unit.sampled[kind] = unit.sampled.get(kind, 0) + rows
            for place, rows in chunk.unread.items():
                unit.unread[place] = unit.unread.get(place, 0) + rows
            for name, one in chunk.counts.items():
                counts.setdefault(name, Counts()).add(one)
        unit.rows += sum(c.read for c in counts.values())
        unit.bytes += read.partition.size
        unit.receipts.append(Receipt(read.partition, read.sha256, read.lines, read.as_of, read.given, counts))

    def unit_is_full(self) -> bool:
        """True when what was added is enough for a commit of its own; never in a strict load, which is one unit."""
        full = self._unit.bytes >= self.settings.unit_bytes or self._unit.rows >= self.settings.unit_rows
        return full and not self.settings.strict

    def commit(self) -> None:
        """Bring what was added into the mart, in one transaction; StorageError when it was rolled back."""
        if self._unit.receipts:
            with self._connect() as connection:
                self._bring_in(connection)

    def finish(self) -> None:
        """Commit what is left, settle the load's status and write it to the mart."""
        report = self.report
        with self._connect() as connection:
            self._bring_in(connection)
            for name, lines in refused_by_views(connection, report.source, self._skipped).items():
                report.views[name] = report.views.get(name, 0) + lines
            report.seconds = time.monotonic() - self._began
            if report.refused:
                report.status = "failed"
            elif report.status == "ok" and (report.total().quarantined or report.views):
                report.status = "quarantined"
            save_load(connection, report, finished=datetime.now(UTC))
            report.tables.update({name: rows for name, rows in table_rows(connection) if rows})

    def _connect(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        return self._mart.connect(wait=max(self.settings.wait, _COMMIT_PATIENCE))

    def _bring_in(self, connection: duckdb.DuckDBPyConnection) -> None:
        unit, self._unit = self._unit, StagedUnit()
        if not unit.receipts or (self.settings.strict and self.report.status == "drained"):
            return
        if self.settings.strict and (unit.rejections or self.report.refused):
            self.report.status = "failed"
            refused = sum(c.quarantined for receipt in unit.receipts for c in receipt.resources.values())
            refused += unit.views_refused.total()
            if refused:
                self.report.refused.append(
                    f"{refused} line{'s' * (refused != 1)} would be refused, so --strict loaded nothing: "
                    "load without it to see them"
                )
            return
        try:
            commit(connection, unit, self.report, self._tables)
        except duckdb.Error as error:
            raise StorageError(f"the commit was rolled back ({type(error).__name__}): the mart is as before") from error
        self._mart.note(connection)
        self.stage.discard([t.path for t in (*unit.tables, *unit.views)] + unit.rejections + unit.findings)


@contextmanager
def open_session(settings: LoadSettings, lost: Sequence[TailReceipt] = ()) -> Iterator[LoadSession]:
    """Take the mart's lock, make the mart if need be, and clear what a dead load left in the staging area.

    ``lost`` are partitions of a mart under repair, to be read again with the time that they had.

    Raises LockedError, StorageError or UsageError when the mart cannot be had, IntegrityError when it lost work.
    """
    now = datetime.now(UTC)
    preferred = read_preferred_units(settings.preferred_units)
    report = LoadReport(new_load_id(now), settings.source, settings.as_of or now, now, options=settings.options())
    mart = Mart(settings.mart, memory=settings.memory, repairing=bool(lost))
    with ExitStack() as stack:
        mart.must_be_possible()
        stack.enter_context(loader_lock(settings.mart, wait=settings.wait))
        mart.prepare(all_tables(), wait=settings.wait)
        clean_staging(settings.mart)
        stage = Stage(settings.mart, report.load_id)
        stack.callback(stage.close)
        with mart.connect(wait=settings.wait) as connection:
            mart.note(connection)
            views = views_of(connection)
            newest = max((view.added_at for view in views), default=None)
            receipts = Receipts(connection, settings.source, newest, lost)
        yield LoadSession(settings, mart, stage, report, receipts, views, preferred)
