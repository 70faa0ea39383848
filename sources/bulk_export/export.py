"""An export from its kick-off to a folder that ``clinmart load`` reads; what a process left undone the next one goes on
with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from schemas.errors import TryAgainError, UsageError
from sources.bulk_export.answer import Listed, Listing
from sources.bulk_export.download import Download, ExpiredError
from sources.bulk_export.job import Job, own_folder, read_job, write_job, write_safely
from sources.bulk_export.landed import Landed
from sources.bulk_export.landing import write_landing
from sources.bulk_export.poll import GoneError, Pages, forget, kick_off, listing_of, wait_for_pages
from sources.bulk_export.request import ExportRequest
from sources.bulk_export.seals import Seals
from sources.http import Caller, RefusedError
from sources.manifest import SUMS_NAME
from sources.pace import Deadline

_SERVER_ERROR = 500
_REFUSAL_NAME = ".refusal.json"  # what the server said, which may name patients and is not printed


@dataclass(frozen=True, slots=True)
class ExportLimits:
    """``renewals``: how often the manifest is fetched again for addresses that expired, for each file.

    ``counts``: whether a file with fewer resources than the manifest says is cut.
    """

    renewals: int = 3
    counts: bool = True


@dataclass(slots=True)
class Fetched:
    """What came of a fetch. ``missing``: why which files could not be had; then the manifest is not there yet."""

    folder: Path
    transaction_time: datetime
    files: list[Landed] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @property
    def has_errors(self) -> bool:
        """Whether the server lists files of errors, whatever is in them."""
        return any(file.listed.section == "error" for file in self.files)

    @property
    def reported(self) -> int:
        """OperationOutcomes with which the server says that something is not in the export."""
        return sum(file.resources for file in self.files if file.listed.section == "error")


@dataclass(slots=True)
class Export:
    """One export into ``folder``.

    ``arrived`` is told of each file as soon as it is whole, those of earlier processes among them; ``listed`` of
    what is to come.
    """

    request: ExportRequest
    folder: Path
    caller: Caller
    deadline: Deadline
    limits: ExportLimits = field(default_factory=ExportLimits)
    say: Callable[[str], None] = lambda _: None
    listed: Callable[[Listing, Job], None] = lambda *_: None
    arrived: Callable[[Landed], None] = lambda _: None
    seals: Seals | None = None  # signs what lands
    _listing: Listing | None = None
    _renewing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> Fetched:
        """Go on with the folder's export, or start one.

        Raises UsageError (the server refuses, the folder holds something else), TryAgainError, StorageError,
        LockedError. What was downloaded stays for the next time.
        """
        with own_folder(self.folder):
            job = self._job()
            if job.landed and not job.deleted and job.status_url:
                await self._forget(job)
            listing = await self._ready(job)
            self._listing = listing
            self.listed(listing, job)
            fetched = await self._download(job, listing)
            if not fetched.missing and not job.landed:
                asked = {"request": job.request, "scope": job.scope, "since": job.since}
                manifest = write_landing(self.folder, listing, fetched.files, asked)
                if self.seals is not None:
                    self.seals.close([manifest, self.folder / SUMS_NAME])
                job.landed = True
                write_job(self.folder, job)
                await self._forget(job)
            return fetched

    def _job(self) -> Job:
        job = read_job(self.folder)
        if job is None:
            since = self.request.since
            return Job(self.request.url, self.request.scope, None if since is None else since.isoformat())
        if job.request != self.request.url:
            raise UsageError(f"{self.folder}: this folder holds another export; fetch into a new one")
        return job

    async def _ready(self, job: Job) -> Listing:
        """What the server lists; asked for unless it is known, from a new export unless one is under way."""
        if job.pages is None and job.status_url is not None:
            self.say("going on with the export that was started before")
            try:
                return await self._poll(job, job.status_url)
            except GoneError:
                self.say("the server has forgotten it; starting another")
                job.status_url = None
        if job.pages is None:
            job.status_url = await self._kick_off(job)
            write_job(self.folder, job)
            try:
                return await self._poll(job, job.status_url)
            except GoneError:
                raise self._lost(job) from None
        return self._listing_of([(url, body.encode()) for url, body in job.pages])

    def _listing_of(self, pages: Pages) -> Listing:
        listing = listing_of(pages)
        if self.limits.counts:
            return listing
        return replace(listing, files=tuple(replace(file, count=None) for file in listing.files))

    async def _kick_off(self, job: Job) -> str:
        self._clear()
        self.say("asking for the export")
        try:
            return await kick_off(self.caller, job.request, self.deadline)
        except RefusedError as error:
            raise self._refused(error) from None

    def _refused(self, error: RefusedError) -> UsageError:
        if not error.body:
            return UsageError(str(error))
        write_safely(self.folder / _REFUSAL_NAME, error.body)
        return UsageError(f"{error}; what it says is in {self.folder / _REFUSAL_NAME}")

    async def _poll(self, job: Job, status_url: str) -> Listing:
        try:
            pages = await wait_for_pages(self.caller, status_url, self.deadline, self.say)
        except RefusedError as error:
            self._start_anew(job)
            refused = self._refused(error)
            if error.status >= _SERVER_ERROR:
                raise TryAgainError(f"{refused}; the same command starts another export") from None
            raise refused from None
        listing = self._listing_of(pages)
        self._keep(job, pages)
        return listing

    def _keep(self, job: Job, pages: Pages) -> None:
        job.pages = [(url, body.decode("utf-8", "replace")) for url, body in pages]
        write_job(self.folder, job)

    def _clear(self) -> None:
        """Remove the files of an export that was lost; those of another one would not go with them."""
        for path in self.folder.iterdir():
            if path.suffix in (".ndjson", ".gz", ".part", ".note"):
                path.unlink()
        if self.seals is not None:
            self.seals.restart()

    def _start_anew(self, job: Job) -> None:
        """Forget the export, so that the next process starts another."""
        job.status_url, job.pages = None, None
        write_job(self.folder, job)

    def _lost(self, job: Job) -> TryAgainError:
        self._start_anew(job)
        return TryAgainError("the server has forgotten the export; the same command starts another")

    async def _download(self, job: Job, listing: Listing) -> Fetched:
        fetched = Fetched(self.folder, listing.transaction_time)
        download = Download(self.caller, self.folder, listing.tokens, self.deadline, self.seals)

        async def one(file: Listed) -> None:
            try:
                landed = await self._get(download, file, job)
            except TryAgainError as error:
                fetched.missing.append(str(error))
                return
            fetched.files.append(landed)
            self.arrived(landed)

        waiting = iter(listing.files)  # shared by all hands, so that no more tasks stand about than can work

        async def hand() -> None:
            for file in waiting:
                await one(file)

        hands = [asyncio.create_task(hand()) for _ in range(self.caller.pace.limits.concurrency)]
        try:
            await asyncio.gather(*hands)
        finally:
            for task in hands:
                task.cancel()
            await asyncio.gather(*hands, return_exceptions=True)
        return fetched

    async def _get(self, download: Download, file: Listed, job: Job) -> Landed:
        for _ in range(self.limits.renewals + 1):
            try:
                return await download.get(file)
            except ExpiredError:
                file = await self._renewed(file, job)
        raise TryAgainError(f"{file.name}: the server lists it and does not have it; try again later")

    async def _renewed(self, file: Listed, job: Job) -> Listed:
        """The file with the address that the manifest has now."""
        async with self._renewing:
            assert self._listing is not None
            now = next(one for one in self._listing.files if one.name == file.name)
            if now.url != file.url:  # another file's renewal brought it
                return now
            if job.status_url is None:
                raise TryAgainError(f"{file.name}: its address has expired; try again later")
            self.say("addresses have expired; asking for the manifest again")
            try:
                pages = await wait_for_pages(self.caller, job.status_url, self.deadline, self.say)
            except GoneError:
                raise self._lost(job) from None
            except RefusedError as error:
                raise TryAgainError(f"{error}; try again later") from None
            listing = self._listing_of(pages)
            if [(f.name, f.count) for f in listing.files] != [(f.name, f.count) for f in self._listing.files] or (
                listing.transaction_time != self._listing.transaction_time
            ):
                raise TryAgainError(f"{file.name}: the server has another export now; fetch into a new folder")
            self._keep(job, pages)
            self._listing = listing
            return next(one for one in listing.files if one.name == file.name)

    async def _forget(self, job: Job) -> None:
        if job.status_url is not None:
            job.deleted = await forget(self.caller, job.status_url, self.deadline)
            write_job(self.folder, job)
