"""The manifest of a bulk export (FHIR Bulk Data Access 2.0, "Response - Complete Status"). It is never a
resource."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

import msgspec

from schemas.errors import IntegrityError

MANIFEST_NAME = "manifest.json"
SUMS_NAME = "SHA256SUMS"  # beside the manifest of an export that we fetched
LARGEST_MANIFEST = 16 * 1024 * 1024  # some 100,000 files; nothing larger is looked at
_TELLING = (b'"transactionTime"', b'"output"')


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One file that the manifest lists: where it lies, relative to the manifest, and what was said of it."""

    name: str
    url: str
    type: str | None
    count: int | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """A read manifest. ``deleted`` files hold Bundles of deletes; ``errors`` OperationOutcomes, which are no data."""

    uri: str
    transaction_time: datetime  # with its offset
    output: tuple[ExportedFile, ...]
    deleted: tuple[ExportedFile, ...] = ()
    errors: tuple[ExportedFile, ...] = ()
    scope: str | None = None  # of one that `clinmart fetch` wrote: what was asked for
    since: datetime | None = None  # and from when on


class TransactionTimes:
    """Which ``transactionTime`` holds for a file: the latest of the manifests that list it, else that of
    the only manifest in its folder."""

    def __init__(self, manifests: Iterable[Manifest]) -> None:
        self._listed: dict[str, datetime] = {}
        self._folders: dict[str, set[datetime]] = {}
        for manifest in manifests:
            time = manifest.transaction_time
            self._folders.setdefault(posixpath.dirname(manifest.uri), set()).add(time)
            for file in (*manifest.output, *manifest.deleted):
                for uri in beside(manifest, file):
                    self._listed[uri] = max(time, self._listed.get(uri, time))

    def of(self, uri: str) -> datetime | None:
        """The time for the file ``uri``, with its offset; None when no manifest speaks for it."""
        if uri in self._listed:
            return self._listed[uri]
        times = self._folders.get(posixpath.dirname(uri), set())
        return next(iter(times)) if len(times) == 1 else None


def beside(manifest: Manifest, file: ExportedFile) -> tuple[str, ...]:
    """Under which names a listed file may lie beside its manifest: as listed, or compressed since."""
    uri = posixpath.join(posixpath.dirname(manifest.uri), file.name)
    return (uri, uri + ".gz", uri + ".zst")


def find_output(manifest: Manifest, is_file: Callable[[str], bool]) -> tuple[list[str], list[str]]:
    """The data files of the manifest that are there, in its order, and the names of those that are not."""
    return _find(manifest, manifest.output, is_file)


def find_deleted(manifest: Manifest, is_file: Callable[[str], bool]) -> tuple[list[str], list[str]]:
    """The same for its files of deletes."""
    return _find(manifest, manifest.deleted, is_file)


def _find(
    manifest: Manifest, files: Iterable[ExportedFile], is_file: Callable[[str], bool]
) -> tuple[list[str], list[str]]:
    found, missing = [], []
    for file in files:
        uri = next(filter(is_file, beside(manifest, file)), None)
        if uri is None:
            missing.append(file.name)
        else:
            found.append(uri)
    return found, missing


def refuse_missing(manifest: Manifest, missing: list[str]) -> IntegrityError:
    """The refusal of an export of which files are missing."""
    named = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
    return IntegrityError(
        f"{manifest.uri}: of {len(manifest.output) + len(manifest.deleted)} files listed, {len(missing)} missing: "
        f"{named}; "
        "nothing was loaded. Get them, or name the files to load one by one"
    )


class _File(msgspec.Struct):
    url: str
    type: str | None = None
    count: int | None = None


class _Asked(msgspec.Struct):
    scope: str | None = None
    since: datetime | None = None


class _Extension(msgspec.Struct):
    clinmart: _Asked | None = None


class _Manifest(msgspec.Struct):
    transactionTime: str
    output: list[_File]
    deleted: list[_File] | None = None
    error: list[_File] | None = None
    extension: msgspec.Raw = msgspec.Raw()


def parse_manifest(data: bytes, uri: str) -> Manifest | None:
    """The manifest in ``data``, or None when it is something else.

    A JSON object without ``resourceType`` that has ``transactionTime`` and ``output`` is a manifest. Raises
    :class:`IntegrityError` when it is one, but is wrong: a time without zone, a file without ``url``, a
    ``url`` that leads out of the manifest's folder.
    """
    if not all(word in data for word in _TELLING):
        return None
    try:
        members = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=dict[str, msgspec.Raw])
    except (ValueError, RecursionError):
        return None
    if "resourceType" in members or not {"transactionTime", "output"} <= members.keys():
        return None
    try:
        read = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=_Manifest)
    except msgspec.ValidationError as error:
        raise _wrong(uri, str(error)[:1].lower() + str(error)[1:]) from None
    asked = _asked(read.extension)
    return Manifest(
        uri=uri,
        transaction_time=_instant(read.transactionTime, uri),
        output=_files(read.output, uri),
        deleted=_files(read.deleted, uri),
        errors=_files(read.error, uri),
        scope=asked.scope,
        since=asked.since,
    )


def _asked(extension: msgspec.Raw) -> _Asked:
    """What an extension of ours says; those of others may hold anything."""
    try:
        return msgspec.json.decode(extension, type=_Extension).clinmart or _Asked()
    except msgspec.MsgspecError:
        return _Asked()


def _instant(text: str, uri: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise _wrong(uri, f"transactionTime {text[:40]!r} is not an instant with a zone")
    return time


def _files(files: list[_File] | None, uri: str) -> tuple[ExportedFile, ...]:
    listed = [ExportedFile(_local_name(file.url, uri), file.url, file.type, file.count) for file in files or ()]
    return tuple({file.name: file for file in listed}.values())


def _local_name(url: str, uri: str) -> str:
    """A relative ``url`` as it is; of an absolute one the last part, under which clients save it."""
    parts = urlsplit(url)
    path = PurePosixPath(unquote(parts.path))
    if parts.scheme or parts.netloc:
        path = PurePosixPath(path.name)
    if not path.name or path.is_absolute() or ".." in path.parts or "\0" in str(path):
        raise _wrong(uri, f"the url with the path {parts.path[:200]!r} names no file beside the manifest")
    return str(path)


def _wrong(uri: str, what: str) -> IntegrityError:
    return IntegrityError(f"{uri}: this $export manifest is wrong: {what}; correct it, or name the files themselves")
