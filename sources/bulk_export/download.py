"""One file of an export, from where it stopped."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec

from schemas.errors import IntegrityError, StorageError, TryAgainError
from schemas.sealed import Sealed
from sources.bulk_export.answer import Listed
from sources.bulk_export.digests import DIGEST_HEADERS
from sources.bulk_export.job import sync_folder, write_safely
from sources.bulk_export.landed import GZIP, Landed, look_through
from sources.bulk_export.seals import Seals
from sources.http import Caller, RefusedError
from sources.pace import Deadline, PassingError

_OVERLAP = 4096  # bytes that are asked for again and compared: another content is not glued to the old
_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/(\*|[0-9]{1,19})")  # RFC 9110 14.4
_OK, _PARTIAL, _UNSATISFIABLE = 200, 206, 416
_GONE = frozenset({403, 404, 410})  # what servers and object stores answer where an address has expired


class ExpiredError(Exception):
    """The address of the file does not hold any more; the manifest, asked for again, may have another."""


class _Known(msgspec.Struct):
    """What the first answer said of the file; beside its part."""

    tag: str | None = None
    total: int | None = None
    digests: dict[str, str] = {}  # msgspec copies it


@dataclass(frozen=True, slots=True)
class Download:
    """Where and how files of one export are downloaded. ``tokens``: with the access token.

    With ``seals`` a file lands once it is signed, and one that was not signed is downloaded again.
    """

    caller: Caller
    folder: Path
    tokens: bool
    deadline: Deadline
    seals: Seals | None = None

    async def get(self, listed: Listed) -> Landed:
        """The file, whole and checked, under its name.

        As long as tries bring more of it, it is tried on. Raises TryAgainError, :class:`ExpiredError`, UsageError or
        StorageError.
        """
        there = await asyncio.to_thread(self._before, listed)
        if there is not None:
            return there
        while True:
            before = self._have(listed)
            try:
                return await self.caller.pace.call(lambda: self._once(listed), self.deadline)
            except TryAgainError:
                if self._have(listed) <= before or self.deadline.left() <= 0:
                    raise

    def _before(self, listed: Listed) -> Landed | None:
        """The file, when an earlier process landed it."""
        for path in self._paths(listed):
            if path.exists():
                try:
                    landed = look_through(path, listed, {})
                except PassingError:
                    landed = None
                if self.seals is not None:
                    landed = self._as_signed(path, landed, self.seals.known(path.name))
                if landed is not None:
                    return landed
                path.unlink()
        return None

    def _as_signed(self, path: Path, landed: Landed | None, signed: Sealed | None) -> Landed | None:
        """The file if it was signed; IntegrityError when it is not what was signed."""
        if signed is not None and (landed is None or (landed.size, landed.sha256) != (signed.size, signed.sha256)):
            raise IntegrityError(f"{path}: is not what it was when it landed; remove it, and it is fetched again")
        return landed if signed is not None else None

    def _paths(self, listed: Listed) -> tuple[Path, Path]:
        return self.folder / listed.name, self.folder / f"{listed.name}.gz"

    def _part(self, listed: Listed) -> Path:
        return self.folder / f".{listed.name}.part"

    def _have(self, listed: Listed) -> int:
        try:
            return self._part(listed).stat().st_size
        except FileNotFoundError:
            return 0

    async def _once(self, listed: Listed) -> Landed:
        part, note = self._part(listed), self._part(listed).with_suffix(".note")
        have, known = self._have(listed), _read_note(note)
        if have and known is None:
            have = 0
        begin = max(0, have - _OVERLAP)
        headers = {"Accept": "application/fhir+ndjson", "Accept-Encoding": "gzip"}
        if begin and known is not None:
            headers["Range"] = f"bytes={begin}-"
            if known.tag is not None:
                headers["If-Range"] = known.tag
        try:
            async with self.caller.stream(
                "GET", listed.url, listed.name, headers=headers, authorized=self.tokens
            ) as response:
                if response.status_code == _PARTIAL and begin and known is not None:
                    _must_fit(response, begin, known, listed, part)
                elif response.status_code == _OK:
                    begin, known = 0, _said(response, listed)
                    write_safely(note, msgspec.json.encode(known))
                else:
                    raise PassingError(f"{listed.name}: status {response.status_code}, which was not asked for")
                await _write(response, part, begin, listed)
        except RefusedError as error:
            if error.status == _UNSATISFIABLE and begin:
                part.unlink(missing_ok=True)
                raise PassingError(f"{listed.name}: the server has another file now") from None
            if error.status in _GONE:
                raise ExpiredError from None
            raise
        except OSError as error:
            raise StorageError(f"{part}: cannot be written: {error.strerror}; check the disk") from None
        if known.total is not None and self._have(listed) != known.total:
            part.unlink(missing_ok=True)
            raise PassingError(f"{listed.name}: it does not have the length that the server said")
        return await asyncio.to_thread(self._land, listed, known.digests)

    def _land(self, listed: Listed, digests: Mapping[str, str]) -> Landed:
        part = self._part(listed)
        try:
            landed = look_through(part, listed, digests)
        except PassingError:
            part.unlink()  # as it was got without a gap, more of the same would not mend it
            raise
        with part.open("rb") as file:
            zipped = file.read(len(GZIP)) == GZIP
        path = self._paths(listed)[zipped]
        if self.seals is not None:
            self.seals.add(Sealed(path.name, landed.size, landed.sha256))
        part.replace(path)
        part.with_suffix(".note").unlink(missing_ok=True)
        sync_folder(self.folder)
        return Landed(listed, path, landed.size, landed.sha256, landed.resources)


def _read_note(note: Path) -> _Known | None:
    try:
        return msgspec.json.decode(note.read_bytes(), type=_Known)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def _said(response: httpx.Response, listed: Listed) -> _Known:
    """What an answer from the first byte on says of the file; PassingError for what is no NDJSON by its type."""
    if "html" in response.headers.get("content-type", ""):
        raise PassingError(f"{listed.name}: the answer is HTML or XML, not NDJSON")
    tag, length = response.headers.get("etag"), response.headers.get("content-length", "")
    digests = {name: response.headers[name] for name in DIGEST_HEADERS if name in response.headers}
    strong = tag is not None and tag.startswith('"')  # RFC 9110 8.8.1: a weak one is no proof of equal bytes
    return _Known(tag if strong else None, int(length) if length.isdecimal() else None, digests)


def _must_fit(response: httpx.Response, begin: int, known: _Known, listed: Listed, part: Path) -> None:
    found = _RANGE.fullmatch(response.headers.get("content-range", ""))
    total = None if found is None or found[3] == "*" else int(found[3])
    if found is None or int(found[1]) != begin or (known.total is not None and total not in (None, known.total)):
        part.unlink(missing_ok=True)
        raise PassingError(f"{listed.name}: the server gives another part than was asked for")


async def _write(response: httpx.Response, part: Path, begin: int, listed: Listed) -> None:
    """Write what comes from byte ``begin`` on; bytes that are there already must be the same."""
    with part.open("r+b" if begin else "wb") as file:
        file.seek(begin)
        again = file.read() if begin else b""
        try:
            async for data in response.aiter_raw():
                new = data
                if again:
                    same = min(len(again), len(data))
                    if data[:same] != again[:same]:
                        again = b""
                        file.truncate(0)
                        raise PassingError(f"{listed.name}: the server has another file now")
                    again, new = again[same:], data[same:]
                file.write(new)
        finally:
            file.flush()
