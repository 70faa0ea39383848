"""Which partitions a mart has already taken in, and what became of their lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from stores.tail import TailReceipt


@dataclass(frozen=True, slots=True)
class Known:
    """A committed partition: its rows' time, and lines by type as (type, read, quarantined, suppressed).

    ``again``: it must be read again, for a view that was added since or because it was lost.
    """

    as_of: datetime
    as_of_given: bool
    resources: tuple[tuple[str, int, int, int], ...]
    again: bool


class Receipts:
    """The receipts of one source, read once when a load begins."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        source: str,
        since: datetime | None = None,
        lost: Sequence[TailReceipt] = (),
    ) -> None:
        """``since``: when the newest view of the mart was added; ``lost``: what is to be read again as it was."""
        self._known: dict[tuple[int, str], Known] = {}
        rows = connection.execute(
            "SELECT size, sha256, as_of, as_of_given, list_transform(resources, lambda r: "
            "struct_pack(t := r.resource_type, n := r.read, q := r.quarantined, s := r.suppressed)), "
            "coalesce(committed_at < ?, false) FROM etl.receipt WHERE source = ? ORDER BY as_of",
            [since, source],
        ).fetchall()
        for size, sha256, as_of, given, resources, again in rows:
            counts = tuple((r["t"], r["n"], r["q"], r["s"]) for r in resources or ())
            self._known[size, sha256] = Known(as_of, given, counts, again)
        for receipt in sorted(lost, key=lambda receipt: receipt.as_of):
            self._known[receipt.size, receipt.sha256] = Known(receipt.as_of, receipt.as_of_given, (), True)
        self._sizes = {size for size, _ in self._known}

    def may_know(self, size: int) -> bool:
        """False when no partition of this size was ever taken in, so that it need not be hashed to find out."""
        return size in self._sizes

    def find(self, size: int, sha256: bytes, as_of: datetime | None) -> Known | None:
        """The receipt of a partition that was taken in before.

        A partition given a later time (``as_of``: a manifest's or the user's; None: none was given) is not known, for
        its rows without `meta.lastUpdated` were then seen later.
        """
        known = self._known.get((size, sha256.hex()))
        if known is None or (as_of is not None and as_of > known.as_of):
            return None
        return known
