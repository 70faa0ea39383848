"""A source whose files arrive while it is read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol, runtime_checkable

from schemas.records import Partition
from sources.source import Source


@runtime_checkable
class Arriving(Source, Protocol):
    """``partitions`` are those that have arrived; the files of a manifest that never arrive are not accounted for."""

    def arrivals(self) -> AsyncIterator[Partition]:
        """The partitions as they arrive, each once; ends when no more will come. To be asked for once."""
        ...

    @property
    def complete(self) -> bool:
        """False when something is missing that the same source, asked again, may have; asked when nothing comes."""
        ...
