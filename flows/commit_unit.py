"""What the next commit of a load will bring in: staged chunks, and the receipts of the partitions that they are of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from flows.accounts import Accounts, receipt_name
from flows.settings import LoadSettings
from schemas.consumed import Consumed
from schemas.records import Attempt, Counts, Partition, Receipt, total_of
from schemas.staged import StagedChunk, StagedUnit
from schemas.suppression import Suppression, without_names


@dataclass(frozen=True, slots=True)
class Read:
    """A partition that was read to its end, and what its chunks became."""

    partition: Partition
    as_of: datetime
    given: bool  # whether that time was told, not taken from the clock
    sha256: bytes
    lines: int
    chunks: Sequence[StagedChunk]


class CommitUnit:
    """A unit that is being filled; :meth:`take` hands it over and begins the next."""

    def __init__(self, settings: LoadSettings, accounts: Accounts, suppression: Suppression | None = None) -> None:
        self._settings = settings
        self._suppression = suppression
        self._accounts = accounts
        self._unit = StagedUnit()
        self.patched: set[str] = set()  # tables with rows of HL7 v2 messages, of all units

    @property
    def is_empty(self) -> bool:
        """True when there is nothing to commit."""
        return self._unit.is_empty

    @property
    def is_full(self) -> bool:
        """True when there is enough for a commit of its own; never in a strict load, which is one unit."""
        settings = self._settings
        full = self._unit.bytes >= settings.unit_bytes or self._unit.rows >= settings.unit_rows
        return full and not settings.strict

    def take(self) -> StagedUnit:
        """What was added, which is then no longer here."""
        unit, self._unit = self._unit, StagedUnit()
        return unit

    def add(self, read: Read) -> None:
        """Add a partition, with its receipt."""
        counts = self._add(read.chunks)
        unit, held = self._unit, sum(sum(chunk.held) for chunk in read.chunks)
        unit.bytes += read.partition.size
        known, mapped_by = self._accounts.known(read.partition), self._accounts.mapped_by(read.partition)
        if known is not None and known.held:
            unit.replayed.append(read.partition.uri)
        if known is not None and known.mapping != mapped_by:
            unit.remapped.append(read.partition.uri)
        sha256 = receipt_name(read.partition, read.sha256)
        shown = without_names(read.partition.uri, self._suppression)
        if shown == read.partition.uri:
            self._accounts.objects.add(read.partition, sha256)
        inputs = total_of(part for chunk in read.chunks for part in chunk.inputs)
        unrouted, routes = sum(sum(chunk.unrouted) for chunk in read.chunks), self._settings.routes
        unit.receipts.append(
            Receipt(
                replace(read.partition, uri=shown),
                sha256,
                read.lines,
                read.as_of,
                read.given,
                counts,
                held,
                inputs,
                unrouted,
                routes.digest if routes else None,
                mapped_by,
            )
        )

    def add_again(self, chunks: Sequence[StagedChunk], attempts: Sequence[Attempt]) -> None:
        """Add quarantined lines that were run again, with what became of each."""
        for kind, one in self._add(chunks).items():
            self._unit.refused_again.setdefault(kind, Counts()).add(one)
        self._unit.attempts += attempts

    def add_heard(self, chunks: Sequence[StagedChunk], last: int, numbers: Sequence[int] = ()) -> None:
        """Add a listener's messages, of which there are no receipts: each is one chunk, and has one of the ``numbers``;
        ``last`` is the greatest of all.
        """
        self._add_messages(chunks)
        told = [part for chunk in chunks for part in chunk.inputs]
        gone = [n for n, part in zip(numbers, told, strict=False) if any(c.suppressed for c in part.values())]
        self._unit.erased += gone
        self._unit.heard = last

    def add_consumed(self, chunks: Sequence[StagedChunk], consumed: Sequence[Consumed]) -> None:
        """Add a broker's messages, of which there are no receipts, and how far they are taken in by them."""
        self._add_messages(chunks)
        self._unit.consumed += consumed

    def _add_messages(self, chunks: Sequence[StagedChunk]) -> None:
        unit = self._unit
        for kind, one in self._add(chunks).items():
            unit.refused_again.setdefault(kind, Counts()).add(one)
        for kind, one in total_of(part for chunk in chunks for part in chunk.inputs).items():
            unit.inputs.setdefault(kind, Counts()).add(one)
        unit.unrouted += sum(sum(chunk.unrouted) for chunk in chunks)

    def _add(self, chunks: Sequence[StagedChunk]) -> dict[str, Counts]:
        """Add staged chunks; their counts by type."""
        counts: dict[str, Counts] = {}
        for chunk in chunks:
            self._unit.take(chunk)
            self.patched.update(staged.table for staged in chunk.tables if staged.patches)
            for name, one in chunk.counts.items():
                counts.setdefault(name, Counts()).add(one)
        self._unit.rows += sum(c.read for c in counts.values())
        return counts
