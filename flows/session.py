"""One load's hold on a mart: lock, staging area, receipts, report, and the commits. Runner and Prefect flow drive
it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import duckdb

from flows.accounts import Accounts
from flows.audit_session import SessionAudit
from flows.before import Before
from flows.commit_unit import CommitUnit, Read
from flows.cursors import cursors, whole_exports
from flows.fhir_files import place_fhir
from flows.settings import LoadSettings
from flows.telemetry.mart import tell_commit, tell_load
from flows.telling import tell_of_codes, tell_of_views
from flows.worker import Worker
from schemas import signals
from schemas.charsets import codec_named
from schemas.errors import StorageError
from schemas.lateness import Lateness
from schemas.records import LoadReport, Partition
from schemas.signals import COMMIT_SECONDS
from schemas.staged import StagedChunk, StagedUnit
from schemas.tables import all_tables, tables_by_type
from sources.manifest import Manifest
from stores.commit import commit
from stores.exports import move_export
from stores.keys import Keys
from stores.load_row import save_load
from stores.mart import Mart
from stores.overview import table_rows
from stores.quarantine import refused_by_views
from stores.replays import replace_line
from stores.staging import Stage
from stores.watermarks import settle
from transforms.options import ExtractOptions, MessageOptions
from transforms.sample import Sampling

_COMMIT_PATIENCE = 30.0  # seconds to wait for a reader that has the mart open when a commit is due


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
        keys: Keys,
        audit: SessionAudit,
    ) -> None:
        """``made`` returns when the mart is there to be opened; ``audit`` keeps the records of this load."""
        self.keys = keys
        self.settings = settings
        self.report = report
        self.audit = audit
        self.stage = stage
        self.views = before.views
        self._preferred = preferred
        self._mapping = before.mapping
        self._suppression = before.suppression
        self._lateness = Lateness(settings.late_policy, before.late)
        self.worker = self.worker_with(settings.sampling)
        self.mart = mart
        self._made = made
        self._tables = {t.name: t for t in all_tables()}
        self.accounts = Accounts(settings, report, before.receipts, before.mapping, before.objects)
        self.unit = CommitUnit(settings, self.accounts, before.suppression)
        self._replaces = before.replaces  # the quarantined line that the only line of this load corrects
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
        options = (crosswalk, messages, extracts, self._suppression)
        return Worker(tables, self.views, stage, source, sampling, preferred, lateness, *options)

    def time_of(self, partition: Partition, manifest: datetime | None) -> tuple[datetime, bool]:
        """See :meth:`flows.accounts.Accounts.time_of`."""
        return self.accounts.time_of(partition, manifest)

    def is_done(self, partition: Partition, digest: Callable[[Partition], bytes], manifest: datetime | None) -> bool:
        """See :meth:`flows.accounts.Accounts.is_done`."""
        return self.accounts.is_done(partition, digest, manifest)

    def refuse(self, why: str, chunks: Sequence[StagedChunk]) -> None:
        """Leave out a damaged file whole: nothing that was staged of it is committed."""
        for chunk in chunks:
            self.stage.discard(chunk.paths)
        self.report.refused.append(why)

    def leave_out(self, partition: Partition, chunks: Sequence[StagedChunk]) -> None:
        """Leave a partition that was not read to its end to the next load, of which the load says that it drained."""
        self.defer(partition, chunks)
        self.report.status = "drained"

    def defer(self, partition: Partition, chunks: Sequence[StagedChunk]) -> None:
        """Leave a partition that cannot be read now to the next load."""
        for chunk in chunks:
            self.stage.discard(chunk.paths)
        self.report.bytes -= partition.size

    def add(self, read: Read) -> None:
        """Add a partition to the commit unit, with its receipt."""
        self.unit.add(read)

    def commit(self) -> None:
        """Bring what was added into the mart, in one transaction; StorageError when it was rolled back."""
        if not self.unit.is_empty:
            with self.mart.committing, self.connect() as connection:
                self._bring_in(connection)

    def finish(self, manifests: Sequence[Manifest] = (), partitions: Sequence[Partition] = ()) -> None:
        """Commit what is left, settle the load's status and watermarks and write them to the mart.

        ``partitions`` are all that the source has, ``manifests`` those of the exports among them.
        """
        report = self.report
        with self.mart.committing, self.connect() as connection:
            self._bring_in(connection)
            self._replace_known(connection)
            for name, lines in refused_by_views(connection, report.source, self.accounts.skipped).items():
                report.views[name] = report.views.get(name, 0) + lines
            report.seconds = time.monotonic() - self._began
            if report.refused or report.deferred:
                report.status = "failed"
            elif report.status == "ok" and (report.total().quarantined or report.views):
                report.status = "quarantined"
            now = datetime.now(UTC)
            self.accounts.objects.note(connection, report.load_id, now)
            whole = report.kind == "load" and report.status in ("ok", "quarantined")
            reached = cursors(manifests, partitions, self.accounts.taken)
            settle(connection, report.source, reached, self.settings.lateness, now, whole=whole)
            for export in whole_exports(manifests, partitions, self.accounts.taken):
                move_export(connection, report.source, export, report.load_id, now)
            save_load(connection, report, finished=now)
            self.audit.finish(connection)
            tell_load(connection, report)
            tell_of_codes(connection, report, self.settings.crosswalk, self.accounts.loads_before)
            tell_of_views(report, self.views, {self._tables[name].resource_type for name in self.unit.patched})
            report.tables.update({name: rows for name, rows in table_rows(connection) if rows})

    def _replace_known(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Settle the line that a corrected one replaces which an earlier load took in already."""
        total, replaces = self.report.total(), self._replaces
        if replaces is not None and (total.read, total.duplicate) == (1, 1):
            replace_line(connection, replaces, self.report.load_id, datetime.now(UTC))

    @contextmanager
    def connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The mart, open, with what is staged to be read from it; see :meth:`Mart.connect`."""
        self._made()
        with self.mart.connect(wait=max(self.settings.wait, _COMMIT_PATIENCE)) as connection:
            if self.stage.data_key is not None:
                from stores.sealed_files import let_read  # noqa: PLC0415 - fsspec is for encrypted marts alone

                let_read(connection, self.stage.data_key)
            yield connection

    def _bring_in(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Commit what was added, unless a strict load must not."""
        unit = self.unit.take()
        unit.replaces, unit.mapping = self._replaces, self._mapping
        if unit.is_empty or self._is_barred(unit):
            return
        verified = self.stage.verify(unit)
        if self.settings.to_fhir is not None:
            place_fhir(unit.fhir, self.settings.to_fhir, self.report.load_id)
            verified = verified.without(path for _, path in unit.fhir)
        began = time.monotonic()
        try:
            with (
                signals.span("clinmart.commit", source=self.report.source, receipts=len(unit.receipts)),
                self.audit.commit(unit) as act,
            ):
                made = commit(
                    connection,
                    unit,
                    self.report,
                    self._tables,
                    self.settings.crosswalk,
                    verified,
                    act.intent,
                    act.versions,
                )
                act.made(made)
        except duckdb.Error as error:
            verified.must_hold()  # else the disk is not what failed
            raise StorageError(f"the commit was rolled back ({type(error).__name__}): the mart is as before") from error
        self.mart.note(connection)
        tell_commit(self.report.source, made.counts)
        signals.tell(COMMIT_SECONDS, time.monotonic() - began, source=self.report.source)
        self.accounts.taken.update(receipt.partition for receipt in unit.receipts)
        rows = (*unit.tables, *unit.deletes, *unit.views)
        kept = unit.segments + unit.sections
        self.stage.discard([t.path for t in rows] + unit.rejections + unit.findings + unit.codes + kept)

    def _is_barred(self, unit: StagedUnit) -> bool:
        """True when a strict load must not commit this, which its report then says."""
        if not self.settings.strict or self.report.status == "drained":
            return self.settings.strict
        if not (unit.rejections or self.report.refused or self.report.deferred):
            return False
        self.report.status = "failed"
        refused = sum(c.quarantined for receipt in unit.receipts for c in receipt.resources.values())
        refused += unit.views_refused.total()
        if refused:
            self.report.refused.append(
                f"{refused} line{'s' * (refused != 1)} would be refused, so --strict loaded nothing: "
                "load without it to see them"
            )
        return True
