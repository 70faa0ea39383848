"""One load's hold on a mart: lock, staging area, receipts, report, and the commits. Runner and Prefect flow drive
it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import duckdb

from flows.cursors import cursors, whole_exports
from flows.fhir_files import place_fhir
from flows.settings import LoadSettings
from flows.worker import Worker
from schemas.charsets import codec_named
from schemas.consumed import Consumed
from schemas.errors import StorageError
from schemas.lateness import Lateness, LatePolicy
from schemas.mapping.numbered import Numbered
from schemas.records import Attempt, Counts, LoadReport, Partition, Receipt, total_of
from schemas.staged import StagedChunk, StagedUnit
from schemas.tables import all_tables, tables_by_type
from schemas.view_table import ViewTable
from sources.manifest import Manifest
from stores.codes import loads_with, unmapped
from stores.commit import commit, save_load
from stores.exports import move_export
from stores.mart import Mart
from stores.overview import table_rows
from stores.quarantine import refused_by_views
from stores.receipts import Known, Receipts
from stores.replays import replace_line
from stores.staging import Stage
from stores.watermarks import settle
from transforms.extracts import ExtractOptions
from transforms.messages import MessageOptions
from transforms.sample import Sampling

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


@dataclass(frozen=True, slots=True)
class Before:
    """What a mart says before a load: the files that it has, its views, the refused line that is to be corrected, and
    by type the time below which rows are late.
    """

    receipts: Receipts
    views: Sequence[ViewTable] = ()
    replaces: str | None = None
    late: Mapping[str, datetime] = field(default_factory=dict)
    mapping: Numbered | None = None


class LoadSession:
    """The state of one load; use :func:`flows.opening.open_session`."""

    def __init__(
        self,
        settings: LoadSettings,
        mart: Mart,
        stage: Stage,
        report: LoadReport,
        before: Before,
        preferred: Mapping[str, str],
        made: Callable[[], None],
    ) -> None:
        """``made`` returns when the mart is there to be opened."""
        self.settings = settings
        self.report = report
        self.stage = stage
        self.receipts = before.receipts
        self.views = before.views
        self._preferred = preferred
        self._mapping = before.mapping
        self._lateness = Lateness(settings.late_policy, before.late)
        self.worker = self.worker_with(settings.sampling)
        self.mart = mart
        self._made = made
        self._tables = {t.name: t for t in all_tables()}
        self._unit = StagedUnit()
        self._again: dict[Partition, Known] = {}  # partitions that are read again
        self._replaces = before.replaces  # the quarantined line that the only line of this load corrects
        self._skipped: set[str] = set()  # files of which partitions are not
        self._loads_before: set[str] = set()  # that took them in
        self._patched: set[str] = set()  # tables with rows of HL7 v2 messages
        self._accounted: set[Partition] = set()  # partitions that are in the mart, now or before
        self._began = time.monotonic()

    def worker_with(self, sampling: Sampling) -> Worker:
        """A worker that does all as this load does, but looks at another sample."""
        source, preferred = self.settings.source, self._preferred
        crosswalk, lateness, charset = self.settings.crosswalk, self._lateness, self.settings.charset
        fhir = self.settings.to_fhir is not None
        messages = MessageOptions(
            charset and codec_named(charset), self.settings.zone, fhir, self.settings.routes, source
        )
        extracts, used = None, self._mapping
        if used is not None:
            extracts = ExtractOptions(used.mapping, self.settings.zone, fhir, used.numbers)
        tables, stage = tables_by_type(), self.stage
        return Worker(tables, self.views, stage, source, sampling, preferred, lateness, crosswalk, messages, extracts)

    def _mapped_by(self, partition: Partition) -> str | None:
        """The hash of what the mapping says of an extract."""
        mapped = partition.dialect is not None and self._mapping is not None
        return self._mapping.mapping.digest(partition.uri) if mapped and self._mapping is not None else None

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
        known = self.receipts.find(partition.size, receipt_name(partition, digest(partition)), as_of if given else None)
        if known is None:
            return False
        changed = known.mapping != self._mapped_by(partition)
        if known.again or changed or (known.held and self.settings.late_policy is LatePolicy.MERGE):
            self._again[partition] = known
            return False
        self._skip(partition, known)
        return True

    def _skip(self, partition: Partition, known: Known) -> None:
        """Count a partition that was taken in before: duplicates, but for lines that still stand in the quarantine."""
        self._skipped.add(partition.uri)
        self._loads_before.add(known.load_id)
        self._accounted.add(partition)
        for name, read, quarantined, suppressed in known.resources:
            rest = read - quarantined - suppressed
            self.report.count(name).add(Counts(read, duplicate=rest, quarantined=quarantined, suppressed=suppressed))
        for name, read, quarantined in known.inputs:
            one = Counts(read, duplicate=read - quarantined, quarantined=quarantined)
            self.report.inputs.setdefault(name, Counts()).add(one)
        self.report.unrouted += known.unrouted

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
        counts = self._add(read.chunks)
        unit, held = self._unit, sum(sum(chunk.held) for chunk in read.chunks)
        unit.bytes += read.partition.size
        known = self._again.get(read.partition)
        if known is not None and known.held:
            unit.replayed.append(read.partition.uri)
        if known is not None and known.mapping != self._mapped_by(read.partition):
            unit.remapped.append(read.partition.uri)
        sha256 = receipt_name(read.partition, read.sha256)
        inputs = total_of(part for chunk in read.chunks for part in chunk.inputs)
        unrouted, routes = sum(sum(chunk.unrouted) for chunk in read.chunks), self.settings.routes
        unit.receipts.append(
            Receipt(
                read.partition,
                sha256,
                read.lines,
                read.as_of,
                read.given,
                counts,
                held,
                inputs,
                unrouted,
                routes.digest if routes else None,
                self._mapped_by(read.partition),
            )
        )

    def add_again(self, chunks: Sequence[StagedChunk], attempts: Sequence[Attempt]) -> None:
        """Add quarantined lines that were run again to the commit unit, with what became of each."""
        for kind, one in self._add(chunks).items():
            self._unit.refused_again.setdefault(kind, Counts()).add(one)
        self._unit.attempts += attempts

    def add_heard(self, chunks: Sequence[StagedChunk], last: int) -> None:
        """Add a listener's messages to the commit unit, which has no receipts of them; ``last`` is their greatest
        number.
        """
        self._add_messages(chunks)
        self._unit.heard = last

    def add_consumed(self, chunks: Sequence[StagedChunk], consumed: Sequence[Consumed]) -> None:
        """Add a broker's messages to the commit unit, and how far they are taken in by it."""
        self._add_messages(chunks)
        self._unit.consumed += consumed

    def _add_messages(self, chunks: Sequence[StagedChunk]) -> None:
        unit = self._unit
        for kind, one in self._add(chunks).items():
            unit.refused_again.setdefault(kind, Counts()).add(one)
        for kind, one in total_of(part for chunk in chunks for part in chunk.inputs).items():
            unit.inputs.setdefault(kind, Counts()).add(one)
        unit.unrouted += sum(sum(chunk.unrouted) for chunk in chunks)

    def _add(self, chunks: Sequence[StagedChunk]) -> dict[str, Counts]:
        """Add staged chunks to the commit unit; their counts by type."""
        counts: dict[str, Counts] = {}
        unit = self._unit
        for chunk in chunks:
            unit.take(chunk)
            self._patched.update(staged.table for staged in chunk.tables if staged.patches)
            for name, one in chunk.counts.items():
                counts.setdefault(name, Counts()).add(one)
        unit.rows += sum(c.read for c in counts.values())
        return counts

    def unit_is_full(self) -> bool:
        """True when what was added is enough for a commit of its own; never in a strict load, which is one unit."""
        full = self._unit.bytes >= self.settings.unit_bytes or self._unit.rows >= self.settings.unit_rows
        return full and not self.settings.strict

    def commit(self) -> None:
        """Bring what was added into the mart, in one transaction; StorageError when it was rolled back."""
        if not self._unit.is_empty:
            with self.mart.committing, self.connect() as connection:
                self._bring_in(connection)

    def drop_unit(self) -> None:
        """Leave out what was added and is not committed."""
        self._unit = StagedUnit()

    def finish(self, manifests: Sequence[Manifest] = (), partitions: Sequence[Partition] = ()) -> None:
        """Commit what is left, settle the load's status and watermarks and write them to the mart.

        ``partitions`` are all that the source has, ``manifests`` those of the exports among them.
        """
        report = self.report
        with self.mart.committing, self.connect() as connection:
            self._bring_in(connection)
            self._replace_known(connection)
            for name, lines in refused_by_views(connection, report.source, self._skipped).items():
                report.views[name] = report.views.get(name, 0) + lines
            report.seconds = time.monotonic() - self._began
            if report.refused:
                report.status = "failed"
            elif report.status == "ok" and (report.total().quarantined or report.views):
                report.status = "quarantined"
            now = datetime.now(UTC)
            whole = report.kind == "load" and report.status in ("ok", "quarantined")
            reached = cursors(manifests, partitions, self._accounted)
            settle(connection, report.source, reached, self.settings.lateness, now, whole=whole)
            for export in whole_exports(manifests, partitions, self._accounted):
                move_export(connection, report.source, export, report.load_id, now)
            save_load(connection, report, finished=now)
            self._tell_of_codes(connection)
            self._tell_of_views()
            report.tables.update({name: rows for name, rows in table_rows(connection) if rows})

    def _tell_of_codes(self, connection: duckdb.DuckDBPyConnection) -> None:
        """What the crosswalk could not map, and the files whose rows were mapped by another one."""
        crosswalk, report = self.settings.crosswalk, self.report
        if crosswalk is None:
            return
        report.unmapped, report.unmapped_codes = unmapped(connection, report.load_id)
        others = self._loads_before - loads_with(connection, crosswalk)
        if others:
            report.notes.append(
                "rows that were loaded before keep the codes they were given then, by another crosswalk or none: "
                "load into a new mart to map them by this one"
            )

    def _tell_of_views(self) -> None:
        """The views that have nothing of what messages made or changed."""
        kinds = {self._tables[name].resource_type for name in self._patched}
        for view in self.views:
            if view.resource_type in kinds:
                self.report.notes.append(
                    f"the view {view.name} has no rows of {view.resource_type} resources that HL7 v2 messages made or "
                    "changed: the table of the type has them"
                )

    def _replace_known(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Settle the line that a corrected one replaces which an earlier load took in already."""
        total, replaces = self.report.total(), self._replaces
        if replaces is not None and (total.read, total.duplicate) == (1, 1):
            replace_line(connection, replaces, self.report.load_id, datetime.now(UTC))

    def connect(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """The mart, open; see :meth:`Mart.connect`."""
        self._made()
        return self.mart.connect(wait=max(self.settings.wait, _COMMIT_PATIENCE))

    def _bring_in(self, connection: duckdb.DuckDBPyConnection) -> None:
        unit, self._unit = self._unit, StagedUnit()
        unit.replaces, unit.mapping = self._replaces, self._mapping
        if unit.is_empty or (self.settings.strict and self.report.status == "drained"):
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
        if self.settings.to_fhir is not None:
            place_fhir(unit.fhir, self.settings.to_fhir, self.report.load_id)
        try:
            commit(connection, unit, self.report, self._tables, self.settings.crosswalk)
        except duckdb.Error as error:
            raise StorageError(f"the commit was rolled back ({type(error).__name__}): the mart is as before") from error
        self.mart.note(connection)
        self._accounted.update(receipt.partition for receipt in unit.receipts)
        rows = (*unit.tables, *unit.deletes, *unit.views)
        kept = unit.segments + unit.sections
        self.stage.discard([t.path for t in rows] + unit.rejections + unit.findings + unit.codes + kept)


def receipt_name(partition: Partition, digest: bytes) -> bytes:
    """Under which the receipt of a partition is kept: the same bytes mean something else in a file of deletes."""
    return hashlib.sha256(b"deletes" + digest).digest() if partition.deletes else digest
