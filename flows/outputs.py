"""Where results are written that are no mart: a file of this machine or an object of an object store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from flows.settings import object_access
from schemas.errors import StorageError, UsageError
from sources.objects.address import ObjectAddress, is_object

if TYPE_CHECKING:
    from sources.objects.writing import ObjectWriter


@contextmanager
def written_whole(given: str) -> Iterator[BinaryIO]:
    """A file or an object that appears under its name only when the block ends well."""
    with _object(given) if is_object(given) else _file(Path(given)) as out:
        yield out


def must_be_writable(given: str) -> None:
    """UsageError for an address that names no object, or a store of which no credentials are known."""
    if is_object(given):
        _writer(given)


@contextmanager
def _file(path: Path) -> Iterator[BinaryIO]:
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _object(given: str) -> Iterator[BinaryIO]:
    writer, key = _writer(given)
    with writer.open(key) as out:
        yield out


def _writer(given: str) -> tuple[ObjectWriter, str]:
    from sources.objects.writing import ObjectWriter  # noqa: PLC0415 - only where an object store is used

    address = ObjectAddress.parse(given)
    if address.is_prefix:
        raise UsageError(f"{given}: this names no object to write to: give its key too")
    return ObjectWriter(address, object_access()), address.key
