"""Files whose bytes are promised: read, and refused when they are others."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

from schemas.errors import IntegrityError
from schemas.records import Chunk, OversizedLine, Partition
from sources.passes import is_whole
from sources.source import Reading
from sources.stored import storage_errors

_BLOCK = 1024 * 1024


class Promises:
    """By absolute path the size and SHA-256 that a file must have; safe to use from several threads."""

    def __init__(self) -> None:
        self._promised: dict[str, tuple[int, str]] = {}
        self._kept: dict[str, tuple[int, ...]] = {}  # files that were found to be as promised, as they were then
        self._lock = threading.Lock()

    def add(self, uri: str, size: int, sha256: str) -> None:
        """Promise a file; ``sha256`` in hexadecimal."""
        self._promised[uri] = size, sha256

    def of(self, uri: str) -> tuple[int, str] | None:
        """What is promised of a file."""
        return self._promised.get(uri)

    def check(self, uri: str) -> None:
        """IntegrityError when the whole file is not as promised. Blocks; about 1.5 GB/s, once for an unchanged file."""
        promised = self.of(uri)
        if promised is None:
            return
        with self._lock, storage_errors(uri), Path(uri).open("rb") as file:
            found = os.fstat(file.fileno())
            state = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            if self._kept.get(uri) == state:
                return
            digest = hashlib.sha256()
            while block := file.read(_BLOCK):
                digest.update(block)
            if (found.st_size, digest.hexdigest()) != promised:
                raise broken(uri)
            self._kept[uri] = state


class VerifiedReading:
    """A reading that ends in an IntegrityError when its file is not as promised.

    The bytes of a whole file are hashed as they are read, so what is compared is what was handed out; a byte range is
    handed out once the whole file was compared, and its end is reached only when the file is as it was then.
    """

    def __init__(self, reading: Reading, partition: Partition, promises: Promises) -> None:
        self._reading = reading
        self._uri = partition.uri
        self._whole = is_whole(partition)
        self._promises = promises
        self._items: AsyncIterator[Chunk | OversizedLine] | None = None

    @property
    def sha256(self) -> bytes:
        """See :class:`sources.source.Reading`."""
        return self._reading.sha256

    @property
    def bytes_read(self) -> int:
        """See :class:`sources.source.Reading`."""
        return self._reading.bytes_read

    @property
    def lines(self) -> int:
        """See :class:`sources.source.Reading`."""
        return self._reading.lines

    def __aiter__(self) -> VerifiedReading:
        return self

    async def __anext__(self) -> Chunk | OversizedLine:
        if self._items is None:
            if not self._whole:
                await asyncio.to_thread(self._promises.check, self._uri)
            self._items = aiter(self._reading)
        try:
            return await anext(self._items)
        except StopAsyncIteration:
            await self._end()
            raise

    async def _end(self) -> None:
        promised = self._promises.of(self._uri)
        if self._whole and promised is not None and self._reading.sha256.hex() != promised[1]:
            raise broken(self._uri)
        if not self._whole:
            await asyncio.to_thread(self._promises.check, self._uri)

    async def aclose(self) -> None:
        """See :class:`sources.source.Reading`."""
        await self._reading.aclose()


def broken(uri: str) -> IntegrityError:
    """The refusal of a file that is not as promised."""
    return IntegrityError(f"{uri}: is not what it was when it landed, so it is not loaded; fetch it again")
