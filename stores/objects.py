"""What object stores called the bytes that were taken in: an object of the same key, size and ETag need not be read.

The receipts by SHA-256 stay the truth; this only tells the SHA-256 without the bytes.
"""

from __future__ import annotations

from datetime import datetime

import duckdb

from schemas.records import Partition

_Key = tuple[str, int, int, bool]


class ObjectNames:
    """The names under which receipts of one source have the bytes of objects, read once when a load begins."""

    def __init__(self, connection: duckdb.DuckDBPyConnection | None = None, source: str = "") -> None:
        """``connection`` is None where there is no mart yet."""
        self._source = source
        self._known: dict[_Key, tuple[str, bytes]] = {}
        self._new: dict[_Key, tuple[str, bytes]] = {}
        rows = (
            []
            if connection is None
            else connection.execute(
                "SELECT uri, range_start, size, deletes, etag, sha256 FROM etl.object WHERE source = ?", [source]
            ).fetchall()
        )
        for uri, start, size, deletes, etag, sha256 in rows:
            self._known[uri, start, size, deletes] = etag, bytes.fromhex(sha256)

    def find(self, partition: Partition) -> bytes | None:
        """The name of the receipt of just this content; None when it was never read, and for a file."""
        etag, name = self._known.get(_key(partition), (None, None))
        return name if etag is not None and etag == partition.etag else None

    def add(self, partition: Partition, name: bytes) -> None:
        """An object was read to its end; ``name`` is that of its receipt. A file is passed over."""
        if partition.etag is not None and self.find(partition) != name:
            self._known[_key(partition)] = self._new[_key(partition)] = partition.etag, name

    def note(self, connection: duckdb.DuckDBPyConnection, load_id: str, now: datetime) -> None:
        """Write to the mart what was added since the last time."""
        if not self._new:
            return
        columns = [*zip(*(key + said for key, said in self._new.items()), strict=True)]
        uris, starts, sizes, deletes, etags, names = map(list, columns)
        told = {"source": self._source, "uris": uris, "starts": starts, "sizes": sizes, "deletes": deletes}
        new = (
            "SELECT unnest($uris) AS uri, unnest($starts) AS range_start, unnest($sizes) AS size, "
            "unnest($deletes) AS deletes"
        )
        connection.execute(
            f"DELETE FROM etl.object o USING ({new}) n WHERE o.source = $source AND o.uri = n.uri "
            "AND o.range_start = n.range_start AND o.deletes = n.deletes AND o.size = n.size",
            told,
        )
        connection.execute(
            f"INSERT INTO etl.object BY NAME SELECT $source AS source, n.*, e.* FROM ({new}) n POSITIONAL JOIN "
            "(SELECT unnest($etags) AS etag, unnest($names) AS sha256, $load AS load_id, $now AS noted_at) e",
            told | {"etags": etags, "names": [name.hex() for name in names], "load": load_id, "now": now},
        )
        self._new = {}


def _key(partition: Partition) -> _Key:
    return partition.uri, partition.start, partition.size, partition.deletes
