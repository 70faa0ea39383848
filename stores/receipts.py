"""Which partitions a mart has already taken in, and what became of their lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from stores.quarantine import SETTLED
from stores.tail import TailReceipt


@dataclass(frozen=True, slots=True)
class Known:
    """A committed partition: its rows' time, and lines by type as (type, read, quarantined, suppressed).

    ``load_id`` is the load that took it in. Lines that left the quarantine since are not among the quarantined.
    ``again``: it must be read again, for a view that was added or somebody who was erased since, because it was lost,
    or because other rules route its messages. ``held``: so many lines of
    it were late and not let in.
    """

    as_of: datetime
    as_of_given: bool
    resources: tuple[tuple[str, int, int, int], ...]
    again: bool
    load_id: str
    held: int = 0
    inputs: tuple[tuple[str, int, int, int], ...] = ()  # messages by type: read, quarantined, suppressed
    unrouted: int = 0  # messages that no rule took
    mapping: str | None = None  # hash of what the mapping said of it


class Receipts:
    """The receipts of one source, read once when a load begins."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection | None,
        source: str,
        since: datetime | None = None,
        lost: Sequence[TailReceipt] = (),
        routes: str | None = None,
    ) -> None:
        """``connection`` is None where there is no mart yet. ``since``: what was committed before is read again.
        ``lost``: what is to be read again as it was. ``routes``: hash of the rules that route messages now.
        """
        self._known: dict[tuple[int, str], Known] = {}
        if connection is not None:
            self._read(connection, source, since, routes)
        for receipt in sorted(lost, key=lambda receipt: receipt.as_of):
            self._known[receipt.size, receipt.sha256] = Known(receipt.as_of, receipt.as_of_given, (), True, "")
        self._sizes = {size for size, _ in self._known}

    def _read(
        self, connection: duckdb.DuckDBPyConnection, source: str, since: datetime | None, routes: str | None
    ) -> None:
        rows = connection.execute(
            "SELECT size, sha256, as_of, as_of_given, list_transform(resources, lambda r: "
            "struct_pack(t := r.resource_type, n := r.read, q := r.quarantined, s := r.suppressed)), "
            "coalesce(committed_at < ?, false) OR routes IS DISTINCT FROM ?, load_id, coalesce(held, 0), "
            "list_transform(inputs, lambda r: struct_pack(t := r.resource_type, n := r.read, q := r.quarantined, "
            "s := r.suppressed)), "
            "coalesce(unrouted, 0), mapping FROM etl.receipt WHERE source = ? ORDER BY as_of, committed_at",
            [since, routes, source],
        ).fetchall()
        settled = _settled(connection, source)
        for size, sha256, as_of, given, resources, again, load_id, held, inputs, unrouted, mapping in rows:
            gone = settled.get((size, sha256, as_of), {})
            counts = tuple((r["t"], r["n"], r["q"] - gone.get(r["t"], 0), r["s"]) for r in resources or ())
            told = tuple((r["t"], r["n"], r["q"], r["s"]) for r in inputs or ())
            self._known[size, sha256] = Known(as_of, given, counts, again, load_id, held, told, unrouted, mapping)

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


def _settled(connection: duckdb.DuckDBPyConnection, source: str) -> dict[tuple[int, str, datetime], dict[str, int]]:
    """How many lines of each receipt left the quarantine since, by the type under which the receipt counts them."""
    found: dict[tuple[int, str, datetime], dict[str, int]] = {}
    rows = connection.execute(
        "WITH settled AS (SELECT quarantine_id, any_value(resource_type) AS resource_type FROM etl.quarantine "
        f"WHERE source = $source AND state IN {SETTLED} GROUP BY 1), "
        "refused AS (SELECT size, sha256, as_of, unnest(refused) AS quarantine_id FROM etl.receipt "
        "WHERE source = $source) "
        "SELECT size, sha256, as_of, resource_type, count(*) FROM refused JOIN settled USING (quarantine_id) "
        "GROUP BY ALL",
        {"source": source},
    ).fetchall()
    for size, sha256, as_of, kind, lines in rows:
        found.setdefault((size, sha256, as_of), {})[kind] = lines
    return found


def sources_landed(connection: duckdb.DuckDBPyConnection, zone: Path) -> dict[Path, set[str]]:
    """By folder within a landing zone the sources that its files were loaded as; a mart of one source alone has no
    others.
    """
    found: dict[Path, set[str]] = {}
    rows = connection.execute("SELECT DISTINCT source, uri FROM etl.receipt").fetchall()
    sources = {source for source, _ in rows}
    for source, uri in rows:
        folder = Path(uri).absolute().parent
        if folder.is_relative_to(zone.absolute()):
            found.setdefault(folder, set()).add(source)
    if len(sources) == 1 and zone.is_dir():
        for folder in (zone, *(path for path in zone.rglob("*") if path.is_dir())):
            found.setdefault(folder.absolute(), set()).update(sources)
    return found
