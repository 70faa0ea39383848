"""What object stores called the bytes that were taken in: an object of the same key, size and ETag need not be read.

The receipts by SHA-256 stay the truth; this only tells the SHA-256 without the bytes.
"""

from __future__ import annotations

from datetime import datetime

import duckdb

from schemas.records import Partition
from stores.records import insert_records

_Key = tuple[str, int, int, bool]
_PLACE = ("uri", "range_start", "size", "deletes")  # what a key is made of


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
        told = {"source": self._source, "load_id": load_id, "noted_at": now}
        rows = [
            {**told, **dict(zip(_PLACE, key, strict=True)), "etag": etag, "sha256": name.hex()}
            for key, (etag, name) in self._new.items()
        ]
        places = {f"all_{name}": [row[name] for row in rows] for name in _PLACE}
        same = " AND ".join(f"o.{name} = n.{name}" for name in _PLACE)
        connection.execute(
            f"DELETE FROM etl.object o USING (SELECT {', '.join(f'unnest($all_{n}) AS {n}' for n in _PLACE)}) n "
            f"WHERE o.source = $source AND {same}",
            {"source": self._source, **places},
        )
        insert_records(connection, "object", rows)
        self._new = {}


def _key(partition: Partition) -> _Key:
    return partition.uri, partition.start, partition.size, partition.deletes
