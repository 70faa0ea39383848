"""What a source is: it names partitions and reads each of them once, as chunks of whole lines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from schemas.errors import UsageError
from schemas.records import Chunk, OversizedLine, Partition
from sources.manifest import Manifest

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """How much of a file is held at once, and what is refused. All sizes are bytes; all must be positive.

    ``chunk_bytes``      a chunk is no longer than this, unless a single line is
    ``partition_bytes``  plain NDJSON files above this are split into byte ranges
    ``line_bytes``       a longer line becomes an :class:`OversizedLine`
    ``entry_bytes``      the same for one entry of a Bundle; None: as ``line_bytes``
    ``document_bytes``   a longer C-CDA document becomes an :class:`OversizedLine`
    ``max_ratio``        a compressed file that unpacks to more than this many times its size is refused,
                         once it has unpacked to more than ``ratio_floor``
    """

    chunk_bytes: int = 16 * MIB
    partition_bytes: int = 256 * MIB
    line_bytes: int = 16 * MIB
    entry_bytes: int | None = None
    document_bytes: int = 128 * MIB  # twice the largest documents that are known
    max_ratio: int = 200
    ratio_floor: int = 100_000_000

    def __post_init__(self) -> None:
        for name in ("chunk_bytes", "partition_bytes", "line_bytes", "longest_entry", "document_bytes", "max_ratio"):
            if getattr(self, name) < 1:
                raise UsageError(f"the read limit {name} is {getattr(self, name)}; it must be 1 or more")

    @property
    def longest_entry(self) -> int:
        """``entry_bytes``, or ``line_bytes`` when that is None."""
        return self.line_bytes if self.entry_bytes is None else self.entry_bytes


class Reading(Protocol):
    """One pass over one partition: iterate it once, then ask for ``sha256``.

    Iteration raises :class:`IntegrityError` when the file is cut, damaged, or changes while it is read, and
    :class:`StorageError` when the system cannot read it. Whoever commits must have exhausted the reading
    first: a damaged file may show only at its end.
    """

    def __aiter__(self) -> AsyncIterator[Chunk | OversizedLine]:
        """The chunks in the order of the file; lines above the limit come between them in their place."""
        ...

    async def aclose(self) -> None:
        """Stop reading and close the file; for a consumer that leaves early. Harmless when repeated."""
        ...

    @property
    def sha256(self) -> bytes:
        """SHA-256 of the partition's bytes on disk; raises RuntimeError before the reading is exhausted."""
        ...

    @property
    def bytes_read(self) -> int:
        """Bytes on disk read so far, for progress."""
        ...

    @property
    def lines(self) -> int:
        """Lines handed out so far, blank ones included."""
        ...


class Source(Protocol):
    """Where data comes from. Partitions may be read in any order, at the same time and by other processes."""

    def partitions(self) -> Sequence[Partition]:
        """All partitions in an order that depends on nothing but the inputs. Blocks; call it in a thread.

        Raises :class:`UsageError` for a path that is not there or holds nothing to load,
        :class:`StorageError` for one that cannot be read, :class:`IntegrityError` when a manifest lists a
        file that is missing.
        """
        ...

    def read(self, partition: Partition, *, first_line: int | None = None) -> Reading:
        """Start a pass. ``first_line`` is the number of the partition's first line; None: it is counted."""
        ...

    def digest(self, partition: Partition) -> bytes:
        """The SHA-256 that a reading of the partition would end with. Blocks; call it in a thread."""
        ...

    def as_of(self, partition: Partition) -> datetime | None:
        """The ``transactionTime`` of the manifest beside the partition, with its offset; else None."""
        ...

    @property
    def manifests(self) -> Sequence[Manifest]:
        """The ``$export`` manifests among the inputs."""
        ...
