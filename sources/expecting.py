"""A source that is far away, and can begin to bring what will be read soon."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from schemas.records import Partition
from sources.source import Source

EXPECTED = 16  # partitions that are told of while another is read


@runtime_checkable
class Expecting(Source, Protocol):
    """``expect`` costs nothing where nothing is far away."""

    def expect(self, partitions: Iterable[Partition]) -> None:
        """These will be read next, in this order. Returns at once; what goes wrong shows when they are read."""
        ...
