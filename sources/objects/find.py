"""From addresses, prefixes and patterns to the objects that are data, as :mod:`sources.folder` does for files."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import BinaryIO, cast

from schemas.errors import StorageError, UsageError
from schemas.records import Partition
from sources.folder import Sorted, manifest_in, sort_out
from sources.manifest import (
    MANIFEST_NAME,
    Manifest,
    find_deleted,
    find_output,
    refuse_missing,
)
from sources.objects.access import ObjectAccess
from sources.objects.address import ObjectAddress
from sources.objects.bucket import Bucket, Listed, bucket_of
from sources.objects.faults import changed
from sources.objects.object_file import BLOCK_BYTES, ObjectFile
from sources.stored import StoredFile

_EXPECTED = 32  # objects of at most 4 MiB that are held before they are opened
_MAGIC = re.compile(r"[*?[]")


class Objects:
    """The objects that inputs name, remembered with the size and ETag that they had when they were listed.

    Of a prefix those are taken for manifests whose name says so (``*manifest*.json``): to look into each ``.json`` is
    to read it.
    """

    def __init__(self, access: Callable[[], ObjectAccess]) -> None:
        self._access = access
        self._known: dict[str, Listed] = {}
        self._folders: list[str] = []  # all that is below them is known
        self._read: dict[str, Manifest | None] = {}
        self._expected: dict[str, Future[bytes]] = {}

    def __getstate__(self) -> dict[str, object]:
        """What another process needs to open the same objects."""
        return {**self.__dict__, "_expected": {}}

    def find(self, given: str, is_data: Callable[[str], bool]) -> tuple[Sorted, list[Manifest]]:
        """What an input means, and the manifests met; raises as :func:`sources.folder.select` says."""
        address = ObjectAddress.parse(given)
        one = None if address.is_prefix else self._head(address)
        if one is not None:
            return self._named(one)
        if _MAGIC.search(address.key):
            return self._pattern(address, is_data)
        return self._prefix(address, is_data)

    def find_deletes(self, given: str) -> str:
        """The address of one object of deletes. UsageError when it is not there."""
        address = ObjectAddress.parse(given)
        if address.is_prefix or self._head(address) is None:
            raise UsageError(f"{given}: there is no such object of deletes; check the address")
        return str(address)

    def file(self, uri: str, etag: str | None = None) -> StoredFile:
        """The object as a file. ``etag``: what it was called when its partition was planned, maybe elsewhere.

        Raises ChangedError when the object is gone or another one by now.
        """
        listed = self._known.get(uri)
        if listed is None:
            listed = self._head(ObjectAddress.parse(uri))
        if listed is None or (etag is not None and listed.etag != etag):
            raise changed(uri)
        return StoredFile(uri, partial(self._open, listed), listed.etag)

    def expect(self, partitions: Iterable[Partition]) -> None:
        """Begin to bring these objects, as far as they are small; each is handed out once, when it is opened."""
        for partition in partitions:
            listed = self._known.get(partition.uri)
            if listed is None or not 0 < listed.size <= BLOCK_BYTES or listed.uri in self._expected:
                continue
            if len(self._expected) < _EXPECTED:
                address = ObjectAddress.parse(listed.uri)
                coming = self._bucket(address).read(address.key, listed.etag, 0, listed.size)
                self._expected[listed.uri] = coming

    def manifests_beside(self, folder: str) -> list[Manifest]:
        """The manifests in the folder; where it was not listed, its ``manifest.json`` if there is one."""
        met = [uri for uri in self._known if posixpath.dirname(uri) == folder and _may_be_manifest(uri)]
        if not met and not any(f"{folder}/".startswith(known) for known in self._folders):
            try:
                one = self._head(ObjectAddress.parse(f"{folder}/{MANIFEST_NAME}"))
            except StorageError:  # who may read one object only, has none beside it
                one = None
            met = [] if one is None else [one.uri]
        return self._manifests(sorted(met))

    def _named(self, one: Listed) -> tuple[Sorted, list[Manifest]]:
        """An object given by its name is data whatever it is called, unless it is a manifest."""
        manifest = self._manifest(one.uri)
        if manifest is None:
            return Sorted([one.uri], [], []), []
        found, missing = find_output(manifest, self._is_there)
        deletes, more = find_deleted(manifest, self._is_there)
        if missing or more:
            raise refuse_missing(manifest, missing + more)
        return Sorted(found, deletes, []), [manifest]

    def _prefix(self, address: ObjectAddress, is_data: Callable[[str], bool]) -> tuple[Sorted, list[Manifest]]:
        uris = self._below(address, address.key)
        if not uris:
            raise UsageError(f"{address}: there is no such object, and nothing below such a prefix; check the address")
        manifests = self._manifests(uris)
        found = sort_out(uris, manifests, is_data=is_data)
        if not found.data and not manifests:
            raise UsageError(f"{address}: below this prefix there is nothing to load, by the names of its objects")
        return found, manifests

    def _pattern(self, address: ObjectAddress, is_data: Callable[[str], bool]) -> tuple[Sorted, list[Manifest]]:
        """A pattern is searched like a prefix; when it matches no name of data, all it matches are meant."""
        plain = address.key[: cast(re.Match[str], _MAGIC.search(address.key)).start()].rpartition("/")[0]
        wanted = _matcher(address.key.rstrip("/"))
        uris = [uri for uri in self._below(address, plain) if wanted(ObjectAddress.parse(uri).key)]
        if not uris:
            raise UsageError(f"{address}: nothing matches this pattern; check the address")
        folders = {posixpath.dirname(uri) for uri in uris}
        near = [uri for uri in self._known if posixpath.dirname(uri) in folders]
        manifests = self._manifests(sorted(near))
        found = sort_out(uris, manifests, whole=False, is_data=is_data)
        if not found.data and not found.deletes:
            found = Sorted(uris, [], [])
        return found, manifests

    def _below(self, address: ObjectAddress, prefix: str) -> list[str]:
        """The objects below a prefix that are not hidden, remembered; their addresses in order."""
        prefix = prefix.strip("/")
        try:
            listed = self._bucket(address).below(prefix)
        except FileNotFoundError:
            raise _no_bucket(address) from None
        skip = len(address.at(prefix))
        self._folders.append(address.at(f"{prefix}/" if prefix else ""))
        seen = [one for one in listed if not any(part.startswith(".") for part in one.uri[skip:].split("/"))]
        self._known.update((one.uri, one) for one in seen)
        return [one.uri for one in seen]

    def _manifests(self, uris: Iterable[str]) -> list[Manifest]:
        found = (self._manifest(uri) for uri in uris if _may_be_manifest(uri))
        return [manifest for manifest in found if manifest is not None]

    def _manifest(self, uri: str) -> Manifest | None:
        if not uri.lower().endswith(".json"):
            return None
        if uri not in self._read:
            with self._open(self._known[uri]) as raw:
                self._read[uri] = manifest_in(raw, uri)
        return self._read[uri]

    def _is_there(self, uri: str) -> bool:
        return uri in self._known or self._head(ObjectAddress.parse(uri)) is not None

    def _head(self, address: ObjectAddress) -> Listed | None:
        try:
            one = self._bucket(address).head(address.key)
        except FileNotFoundError:
            return None
        self._known[one.uri] = one
        return one

    def _open(self, listed: Listed) -> BinaryIO:
        bucket = self._bucket(ObjectAddress.parse(listed.uri))
        return cast(BinaryIO, ObjectFile(bucket, listed, self._expected.pop(listed.uri, None)))

    def _bucket(self, address: ObjectAddress) -> Bucket:
        return bucket_of(address.scheme, address.bucket, self._access())


def _no_bucket(address: ObjectAddress) -> UsageError:
    return UsageError(f"{address.root}: there is no such bucket; check the address and the endpoint")


def _may_be_manifest(uri: str) -> bool:
    name = posixpath.basename(uri).lower()
    return "manifest" in name and name.endswith(".json")


def _matcher(pattern: str) -> Callable[[str], bool]:
    """Tells the keys that a pattern of the shell means: those that it matches, and those below a prefix that it does.

    ``*`` stays within a part of the key, ``**`` is any number of parts.
    """
    wanted = pattern.strip("/").split("/")

    def means(key: str) -> bool:
        parts = key.split("/")
        return any(_matches(parts[:end], wanted) for end in range(1, len(parts) + 1))

    return means


def _matches(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    if not wanted:
        return not parts
    if wanted[0] == "**":
        return any(_matches(parts[skip:], wanted[1:]) for skip in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], wanted[0]) and _matches(parts[1:], wanted[1:])
