"""The folder of an export as a source that is read while it fills."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path

from schemas.formats import Format
from schemas.records import Partition
from sources.bulk_export.answer import Listing
from sources.bulk_export.job import Job
from sources.bulk_export.landed import Landed
from sources.files import FileSource
from sources.manifest import MANIFEST_NAME, ExportedFile, Manifest
from sources.passes import plan
from sources.source import Reading, ReadLimits
from sources.stored import local_file
from sources.verified import Promises


class ArrivingExport:
    """Told by one thread what lands (:meth:`listed`, :meth:`arrived`, :meth:`ended`), and read by another.

    Its manifest lists what the server lists, whether it lands or not.
    """

    def __init__(self, folder: Path, limits: ReadLimits | None = None) -> None:
        self._folder = folder.absolute()
        self._limits = limits or ReadLimits()
        self._promises = Promises()
        self._files = FileSource([], self._limits, promises=self._promises)  # its reads need no inputs
        self._landed: queue.SimpleQueue[Landed | None] = queue.SimpleQueue()
        self._partitions: list[Partition] = []
        self._listing: Listing | None = None
        self._job: Job | None = None
        self.complete = False

    def listed(self, listing: Listing, job: Job) -> None:
        """The manifest is there; called before anything arrives."""
        self._listing, self._job = listing, job

    def arrived(self, file: Landed) -> None:
        """A file is whole; what is read must be what landed."""
        self._promises.add(str(self._folder / file.path.name), file.size, file.sha256)
        self._landed.put(file)

    def ended(self, *, complete: bool) -> None:
        """Nothing more will come; ``complete``: nothing is missing."""
        self.complete = complete
        self._landed.put(None)

    async def arrivals(self) -> AsyncIterator[Partition]:
        """The partitions of each data file and file of deletes as it lands."""
        while (file := await asyncio.to_thread(self._landed.get)) is not None:
            if file.listed.section == "error":
                continue
            deletes = file.listed.section == "deleted"
            stored = local_file(str(self._folder / file.path.name))
            for partition in await asyncio.to_thread(plan, stored, self._limits, deletes=deletes, given=Format.FHIR):
                self._partitions.append(partition)
                yield partition

    def partitions(self) -> Sequence[Partition]:
        """Those that have arrived."""
        return tuple(self._partitions)

    def read(self, partition: Partition, *, first_line: int | None = None) -> Reading:
        """Start a pass over a file that has landed."""
        return self._files.read(partition, first_line=first_line)

    def digest(self, partition: Partition) -> bytes:
        """SHA-256 of the partition's bytes on disk. Blocks."""
        return self._files.digest(partition)

    def as_of(self, partition: Partition) -> datetime | None:  # noqa: ARG002 - all have the same
        """The ``transactionTime`` of the export."""
        return None if self._listing is None else self._listing.transaction_time

    @property
    def manifests(self) -> Sequence[Manifest]:
        """The server's manifest, with the names that its files have in the folder."""
        if self._listing is None or self._job is None:
            return ()
        sections: dict[str, list[ExportedFile]] = {"output": [], "deleted": [], "error": []}
        for file in self._listing.files:
            sections[file.section].append(ExportedFile(file.name, file.name, file.type, file.count))
        since = self._job.since
        return [
            Manifest(
                uri=str(self._folder / MANIFEST_NAME),
                transaction_time=self._listing.transaction_time,
                output=tuple(sections["output"]),
                deleted=tuple(sections["deleted"]),
                errors=tuple(sections["error"]),
                scope=self._job.scope,
                since=None if since is None else datetime.fromisoformat(since),
            )
        ]
