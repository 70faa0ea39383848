"""Which partitions of a load the mart has: known before, taken in now, or to be read again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime

from flows.settings import LoadSettings
from schemas.lateness import LatePolicy
from schemas.mapping.numbered import Numbered
from schemas.records import Counts, LoadReport, Partition
from stores.objects import ObjectNames
from stores.receipts import Known, Receipts


class Accounts:
    """Says of each partition whether it need be read, and counts those that need not be in the report."""

    def __init__(
        self,
        settings: LoadSettings,
        report: LoadReport,
        receipts: Receipts,
        mapping: Numbered | None,
        objects: ObjectNames | None = None,
    ) -> None:
        self._settings = settings
        self._report = report
        self._receipts = receipts
        self._mapping = mapping
        self.objects = objects or ObjectNames()
        self._again: dict[Partition, Known] = {}  # partitions that are read again
        self.skipped: set[str] = set()  # files of which partitions are not
        self.loads_before: set[str] = set()  # that took them in
        self.taken: set[Partition] = set()  # partitions that are in the mart, now or before

    def mapped_by(self, partition: Partition) -> str | None:
        """The hash of what the mapping says of an extract."""
        mapped = partition.dialect is not None and self._mapping is not None
        return self._mapping.mapping.digest(partition.uri) if mapped and self._mapping is not None else None

    def known(self, partition: Partition) -> Known | None:
        """What is known of a partition that is read again."""
        return self._again.get(partition)

    def time_of(self, partition: Partition, manifest: datetime | None) -> tuple[datetime, bool]:
        """The time of rows without `meta.lastUpdated`: the user's, else a manifest's, else the one that the partition
        was given when it was first read, else the load's start.

        The second value says whether it was told.
        """
        told = self._settings.as_of or manifest
        again = self._again.get(partition)
        if told is None and again is not None:
            return again.as_of, again.as_of_given
        return told or self._report.as_of, told is not None

    def is_done(self, partition: Partition, digest: Callable[[Partition], bytes], manifest: datetime | None) -> bool:
        """True for a partition that was taken in before and need not be read again; its lines are counted."""
        if not self._receipts.may_know(partition.size):
            return False
        as_of, given = self.time_of(partition, manifest)
        name = self.objects.find(partition) or receipt_name(partition, digest(partition))
        known = self._receipts.find(partition.size, name, as_of if given else None)
        if known is None:
            return False
        changed = known.mapping != self.mapped_by(partition)
        if known.again or changed or (known.held and self._settings.late_policy is LatePolicy.MERGE):
            self._again[partition] = known
            return False
        self._skip(partition, known)
        self.objects.add(partition, name)
        return True

    def _skip(self, partition: Partition, known: Known) -> None:
        """Count a partition that was taken in before: duplicates, but for lines that still stand in the quarantine."""
        self.skipped.add(partition.uri)
        self.loads_before.add(known.load_id)
        self.taken.add(partition)
        for name, read, quarantined, suppressed in known.resources:
            rest = read - quarantined - suppressed
            self._report.count(name).add(Counts(read, duplicate=rest, quarantined=quarantined, suppressed=suppressed))
        for name, read, quarantined, suppressed in known.inputs:
            rest = read - quarantined - suppressed
            one = Counts(read, duplicate=rest, quarantined=quarantined, suppressed=suppressed)
            self._report.inputs.setdefault(name, Counts()).add(one)
        self._report.unrouted += known.unrouted


def receipt_name(partition: Partition, digest: bytes) -> bytes:
    """Under which the receipt of a partition is kept: the same bytes mean something else in a file of deletes."""
    return hashlib.sha256(b"deletes" + digest).digest() if partition.deletes else digest
