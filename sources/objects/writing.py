"""Objects written in parts, which appear whole or not at all.

A part that fails is sent again by obstore itself, with its own jitter and cap: it alone holds the part's bytes, so that
:class:`sources.pace.Pace`, which repeats calls from outside, could only begin the whole object anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from schemas.errors import StorageError, TryAgainError
from sources.objects.access import ObjectAccess
from sources.objects.address import ObjectAddress
from sources.objects.bucket import connected
from sources.objects.faults import fault
from sources.pace.passing import PassingError

if TYPE_CHECKING:
    from obstore.store import RetryConfig
    from typing_extensions import Buffer

PART_BYTES = 8 * 1024 * 1024  # S3 takes 10,000 parts: 80 GB
_AT_ONCE = 4  # parts on their way


class ObjectWriter:
    """Writes below one bucket; each method raises StorageError or TryAgainError as reading does."""

    def __init__(self, address: ObjectAddress, access: ObjectAccess) -> None:
        retry: RetryConfig = {
            "max_retries": access.pace.tries - 1,
            "retry_timeout": timedelta(seconds=access.patience),
            "backoff": {
                "init_backoff": timedelta(seconds=access.pace.first_wait),
                "max_backoff": timedelta(seconds=access.pace.longest_wait),
            },
        }
        self._address = address
        self._store = connected(address, access, retry)

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        """A stream into the object, which is there when the block ends well; else nothing of it is left."""
        import obstore  # noqa: PLC0415 - only where an object store is used

        uri = self._address.at(key)
        with _faults(uri):
            writer = obstore.open_writer(self._store, key, buffer_size=PART_BYTES, max_concurrency=_AT_ONCE)
        with _Stream(writer, uri) as stream:
            yield cast(BinaryIO, stream)

    def put(self, key: str, data: bytes) -> None:
        """A small object at once, in place of what was there."""
        import obstore  # noqa: PLC0415

        with _faults(self._address.at(key)):
            obstore.put(self._store, key, data, use_multipart=False)

    def copy_in(self, path: Path, key: str) -> None:
        """A local file as an object."""
        with path.open("rb") as file, self.open(key) as out:
            while block := file.read(PART_BYTES):
                out.write(block)

    def delete(self, keys: list[str]) -> None:
        """Remove objects; those that are gone already are no fault."""
        import obstore  # noqa: PLC0415

        if keys:
            with _faults(self._address.root):
                obstore.delete(self._store, keys)


class _Stream:
    """What obstore's writer lacks of a file, and its errors as ours."""

    closed = False

    def __init__(self, writer: object, uri: str) -> None:
        self._writer = writer
        self._uri = uri

    def __enter__(self) -> _Stream:
        return self

    def __exit__(self, *error: object) -> None:
        with _faults(self._uri):
            self._writer.__exit__(*error)  # type: ignore[attr-defined] # obstore's class is not there at run time

    def write(self, data: Buffer) -> int:
        part = memoryview(data).cast("B")
        with _faults(self._uri):
            self._writer.write(part)  # type: ignore[attr-defined]
        return len(part)

    def flush(self) -> None:
        """Parts are sent when they are full."""


@contextmanager
def _faults(uri: str) -> Iterator[None]:
    from obstore.exceptions import BaseError  # noqa: PLC0415

    try:
        yield
    except (BaseError, OSError) as error:
        found = fault(error, uri, "written")
        if isinstance(found, FileNotFoundError):
            found = StorageError(f"{uri}: cannot be written: there is no such bucket")
        if isinstance(found, PassingError):
            found = TryAgainError(f"{found}. Try again later")
        raise found from None
