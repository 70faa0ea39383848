"""An export that landed in a folder, moved below a prefix of an object store: the manifest last, so that a prefix with
one is whole.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from flows.settings import object_access
from schemas.errors import StorageError, TryAgainError, UsageError
from sources.manifest import MANIFEST_NAME
from sources.objects.address import ObjectAddress
from sources.objects.bucket import bucket_of
from sources.objects.writing import ObjectWriter


def prefix_for(given: str) -> ObjectAddress:
    """The prefix of an address, without the slash at its end. UsageError for a bucket alone and for what is none."""
    address = ObjectAddress.parse(given.rstrip("/"))
    if address.is_prefix:
        raise UsageError(f"{given}: this names a bucket: give a prefix for the export too")
    return address


def must_be_free(address: ObjectAddress) -> None:
    """UsageError when below the prefix there is a whole export already, which another must not be mixed with."""
    bucket = bucket_of(address.scheme, address.bucket, object_access())
    try:
        there = bucket.below(address.key)
    except FileNotFoundError:
        raise UsageError(f"{address.root}: there is no such bucket: make it first") from None
    if any(one.uri == address.at(f"{address.key}/{MANIFEST_NAME}") for one in there):
        raise UsageError(f"{address}: holds an export already: name a new prefix")


def move_export(folder: Path, address: ObjectAddress) -> None:
    """Copy what landed in the folder, see that it came whole, and then remove it here.

    Raises the errors of writing, TryAgainError when an object has not the size of its file, and StorageError when the
    folder cannot be read. Nothing is removed before all of it is there; to do it again does no harm.
    """
    access = object_access()
    writer, bucket = ObjectWriter(address, access), bucket_of(address.scheme, address.bucket, access)
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
        files.sort(key=lambda path: path.name == MANIFEST_NAME)
        for path in files:
            writer.copy_in(path, f"{address.key}/{path.name}")
        sizes = {one.uri: one.size for one in bucket.below(address.key)}
        for path in files:
            uri = address.at(f"{address.key}/{path.name}")
            if sizes.get(uri) != path.stat().st_size:
                raise TryAgainError(f"{uri}: is not there as it was written. Try again later")
        for path in folder.iterdir():
            if path.is_file():
                path.unlink()
        with contextlib.suppress(OSError):  # something of the user's is in it
            folder.rmdir()
    except OSError as error:
        raise StorageError(f"{folder}: cannot be read: {error.strerror}") from None
