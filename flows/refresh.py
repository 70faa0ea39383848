"""Makes the stored values of a table anew from the files that loads read, after its model or a view changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import duckdb

from flows.accounts import receipt_name
from flows.commit_unit import Read
from flows.drain import Drain
from flows.keyring import mart_at
from flows.opening import open_session_of
from flows.runner import read_all
from flows.session import LoadSession
from flows.settings import LoadSettings, object_access
from flows.worker import Worker
from schemas.errors import ChangedError, ClinmartError, StorageError, TryAgainError, UsageError
from schemas.formats import Format
from schemas.lateness import Lateness
from schemas.records import Chunk, Counts, Partition
from schemas.staged import StagedChunk
from schemas.tables import all_tables
from sources.files import FileSource
from sources.manifest import Manifest
from sources.source import Reading, ReadLimits
from stores.load_row import save_load
from stores.refresh import Held, Target, files_of_messages, held, left, refresh, sources_of
from stores.sealed_path import path_of
from stores.views import views_of
from transforms.result import ChunkResult
from transforms.sample import Sampling


@dataclass(slots=True)
class RefreshReport:
    """What a refresh did, over all sources."""

    table: str
    refreshed: int = 0  # rows, current and earlier, whose values were made anew; for a view resources
    left: int = 0  # rows whose sources are gone: they are as they were
    messages: int = 0  # files of HL7 v2 messages, which are not read again: rows that they made are left
    refused: int = 0  # lines that today's checks refuse: their rows are as they were
    missing: list[str] = field(default_factory=list)  # files that are gone or not what they were, with the reason
    drained: bool = False
    loads: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        """The report as plain JSON values."""
        status = "drained" if self.drained else "failed" if self.missing else "ok"
        return {
            "status": status,
            "table": self.table,
            "refreshed": self.refreshed,
            "left": self.left,
            "messages": self.messages,
            "refused": self.refused,
            "missing": self.missing,
            "loads": self.loads,
        }


def run_refresh(settings: LoadSettings, name: str, drain: Drain | None = None) -> RefreshReport:
    """Refresh a table or a view of the mart from all its sources; ``settings.source`` is of no account.

    Raises UsageError for a name that is neither, and the errors of a load.
    """
    mart = mart_at(settings.mart, memory=settings.memory)
    mart.must_exist()
    with mart.connect(read_only=True, wait=settings.wait) as connection:
        target = _target(connection, name)
        sources = sources_of(connection, target)
    report = RefreshReport(name)
    for source in sources:
        if report.drained:
            break
        with open_session_of(RefreshSession, replace(settings, source=source), "refresh") as session:
            parts = session.aim(target)
            read_all(_Receipted(parts, settings.limits), session, list(parts), drain=drain)
            session.finish()
        report.refreshed += session.refreshed
        report.left += session.left
        report.messages += session.messages
        report.refused += session.refused
        report.missing += session.report.refused + session.report.deferred
        report.drained = session.report.status == "drained"
        report.loads.append(session.report.load_id)
    return report


class RefreshSession(LoadSession):
    """A session whose commits replace the values of known rows and bring no new ones; :meth:`aim` comes first."""

    refreshed = 0
    left = 0
    messages = 0
    refused = 0

    def aim(self, target: Target) -> dict[Partition, Held]:
        """Take a target; the partitions that hold its type."""
        self._target = target
        self.report.options = {**self.report.options, "table": target.name}
        self._done: list[str] = []
        self._started = time.monotonic()
        self.worker = _Aimed(self.worker_with(Sampling(0)), target)
        with self.connect() as connection:
            found = held(connection, target, self.settings.source)
            self.messages = files_of_messages(connection, target.resource_type, self.settings.source)
        files = _files(self.settings.limits)
        self._parts = {_partition(one, files): one for one in found}
        return self._parts

    def time_of(self, partition: Partition, manifest: datetime | None) -> tuple[datetime, bool]:  # noqa: ARG002
        """Any time will do: rows keep theirs."""
        return self.report.as_of, False

    def is_done(
        self,
        partition: Partition,
        digest: Callable[[Partition], bytes],
        manifest: datetime | None,  # noqa: ARG002 - rows keep their times
    ) -> bool:
        """True for a partition that holds only deletes, or that cannot be read as it was, which is told."""
        known = self._parts[partition].sha256
        try:
            found = digest(partition)
        except ClinmartError as error:
            if isinstance(error, TryAgainError) and not isinstance(error, ChangedError):
                raise  # the store cannot be reached, which says nothing of the object
            found = b""
        if found.hex() == known:
            return False
        if receipt_name(replace(partition, deletes=True), found).hex() != known:  # of deletes no column is made
            self._missing(partition)
        return True

    def add(self, read: Read) -> None:
        """Add a partition to the commit unit, if it is still what it was when it was read to its end."""
        if read.sha256.hex() != self._parts[read.partition].sha256:
            for chunk in read.chunks:
                self.stage.discard(chunk.paths)
            self._missing(read.partition)
            return
        kind = self._target.resource_type
        for chunk in read.chunks:
            self.refused += sum(part.get(kind, Counts()).quarantined for part in chunk.parts)
        super().add(read)

    def finish(self, manifests: Sequence[Manifest] = (), partitions: Sequence[Partition] = ()) -> None:  # noqa: ARG002
        """Commit what is left, and count the rows that no file had; watermarks stay."""
        report = self.report
        with self.connect() as connection:
            self._bring_in(connection)
            self.left = left(connection, self._target, report.source, self._done)
            report.seconds = time.monotonic() - self._started
            if (report.refused or report.deferred) and report.status == "ok":
                report.status = "failed"
            save_load(connection, report, finished=datetime.now(UTC))

    def _bring_in(self, connection: duckdb.DuckDBPyConnection) -> None:
        unit = self.unit.take()
        done = self.stage.address(f"done-{len(self._done)}.parquet")
        verified = self.stage.verify(unit)
        try:
            with self.audit.commit(unit) as act:
                rows = refresh(connection, unit, self._target, self.report, done, verified, act.intent)
                act.detail |= {"table": self._target.name, "refreshed": rows}
        except duckdb.Error as error:
            verified.must_hold()  # else the disk is not what failed
            raise StorageError(f"the commit was rolled back ({type(error).__name__}): the mart is as before") from error
        self.mart.note(connection)
        self.refreshed += rows
        if path_of(done).exists():
            self._done.append(done)
        self.stage.discard([staged.path for staged in (*unit.tables, *unit.views)])

    def _missing(self, partition: Partition) -> None:
        said = f"{partition.uri} is gone or not what it was when it was loaded: its rows are left as they are"
        if said not in self.report.refused:
            self.report.refused.append(said)


class _Aimed(Worker):
    """A worker that stages only what a target is made of."""

    def __init__(self, other: Worker, target: Target) -> None:
        tables = {target.resource_type: target.table} if target.table is not None else {}
        views = [target.view] if target.view else []
        super().__init__(
            tables, views, other.stage, other.source, other.sampling, other.preferred, Lateness(), other.crosswalk
        )
        self._base = target.base

    def _transformed(self, chunks: Sequence[Chunk], form: Format, as_of: datetime) -> ChunkResult:
        """Messages and documents are passed over: their zone and character set are those of their own load."""
        if form is not Format.FHIR:
            return ChunkResult(parts=[{} for _ in chunks])
        return super()._transformed(chunks, form, as_of)

    def _staged(self, result: ChunkResult, as_of: datetime) -> StagedChunk:
        result.tables = {name: rows for name, rows in result.tables.items() if name == self._base}
        result.rejections, result.findings, result.deletes = [], [], None
        result.unread, result.sampled, result.codes = {}, {}, []
        return super()._staged(result, as_of)


class _Receipted:
    """The partitions of receipts as a source."""

    def __init__(self, parts: dict[Partition, Held], limits: ReadLimits) -> None:
        self._parts = parts
        self._files = _files(limits)

    def partitions(self) -> Sequence[Partition]:
        return list(self._parts)

    def read(self, partition: Partition, *, first_line: int | None = None) -> Reading:
        return self._files.read(partition, first_line=first_line)

    def digest(self, partition: Partition) -> bytes:
        return self._files.digest(partition)

    @property
    def manifests(self) -> Sequence[Manifest]:
        return ()

    def as_of(self, partition: Partition) -> datetime | None:  # noqa: ARG002 - as the protocol asks
        return None


def _files(limits: ReadLimits) -> FileSource:
    return FileSource((), limits, objects=object_access)


def _partition(one: Held, files: FileSource) -> Partition:
    """The partition of a receipt. Receipts do not say whether it went to the end of its file: it did if it still does,
    and if it did not the file is another now, which its hash tells.
    """
    try:
        whole = one.start + one.size >= files.size(one.uri)
    except (OSError, ChangedError):
        whole = True
    return Partition(one.uri, one.start, None if whole else one.start + one.size, one.size)


def _target(connection: duckdb.DuckDBPyConnection, name: str) -> Target:
    tables = {table.name: table for table in all_tables()}
    if name in tables:
        return Target(tables[name].resource_type, tables[name])
    views = {view.name: view for view in views_of(connection)}
    if name in views:
        view = views[name]
        table = next((table for table in tables.values() if table.resource_type == view.resource_type), None)
        return Target(view.resource_type, table, view)
    if name == "resource":
        raise UsageError("the table resource holds resources whole, as received: there is nothing to refresh in it")
    raise UsageError(f"{name!r} is no table of a resource type and no view of the mart: see clinmart status")
