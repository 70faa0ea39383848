"""The mart's tables as Parquet below a prefix of an object store, for readers that should not hold the mart.

A prefix cannot be replaced at once, as a folder can. So each snapshot has a prefix of its own, and one small object,
``_clinmart.json``, names the one that holds: it is written last, and a reader that begins with it sees a whole one. The
snapshot before stays, for readers that are in the middle of it; older ones are removed.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import duckdb
import msgspec

from flows.settings import new_load_id, object_access
from schemas.errors import IntegrityError, UsageError
from schemas.table import Table
from sources.objects.address import ObjectAddress
from sources.objects.bucket import Listed, bucket_of
from sources.objects.writing import ObjectWriter
from stores.keys import Key
from stores.publish import REFUSED_FILE, write_tables
from stores.published import MARKER, marker_by


class _Pointer(msgspec.Struct):
    snapshot: str
    made_by: str = ""


def publish_objects(
    connection: duckdb.DuckDBPyConnection,
    given: str,
    tables: Sequence[Table],
    key: Key | None = None,
    mart: Path | None = None,
) -> dict[str, int]:
    """Write every table and view of schema ``main`` that has rows; rows by table. ``tables`` are the models; with
    ``key`` the files are encrypted by this key of the keyring of ``mart``.

    Raises UsageError for a prefix that holds something else, and the errors of writing. One table at a time stands in a
    folder of its own on the way.
    """
    address, access = ObjectAddress.parse(given), object_access()
    prefix = address.key.rstrip("/")
    below = f"{prefix}/" if prefix else ""
    bucket = bucket_of(address.scheme, address.bucket, access)
    try:
        there = bucket.below(prefix)
    except FileNotFoundError:
        raise UsageError(f"{address.root}: there is no such bucket: make it first") from None
    keys = [ObjectAddress.parse(one.uri).key for one in there]
    before = _snapshot_before(address, below, there, keys)
    snapshot = new_load_id()
    writer = ObjectWriter(address, access)
    rows: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="clinmart-publish-") as folder:
        for path, number in write_tables(connection, Path(folder), tables, key):
            writer.copy_in(path, f"{below}{snapshot}/{path.name}")
            path.unlink()
            if path.name != REFUSED_FILE:
                rows[path.stem] = number
    told = marker_by(key, mart).as_dict() | {"snapshot": snapshot, "tables": rows}
    writer.put(below + MARKER, json.dumps(told).encode())
    kept = tuple(f"{below}{one}/" for one in (snapshot, before) if one)
    writer.delete([key for key in keys if key != below + MARKER and not key.startswith(kept)])
    return rows


def _snapshot_before(address: ObjectAddress, below: str, there: list[Listed], keys: list[str]) -> str | None:
    """The snapshot that holds; UsageError when the prefix holds what no ``clinmart publish`` wrote."""
    if not keys:
        return None
    pointer = next((one for one, key in zip(there, keys, strict=True) if key == below + MARKER), None)
    strange = [key for key in keys if key != below + MARKER and not _is_ours(key.removeprefix(below))]
    if strange or (pointer is None and not all(_is_ours(key.removeprefix(below)) for key in keys)):
        raise UsageError(f"{address}: this prefix holds what clinmart did not publish: name a new one")
    if pointer is None:  # the first publish was cut off
        return None
    bucket = bucket_of(address.scheme, address.bucket, object_access())
    data = bucket.read(below + MARKER, pointer.etag, 0, pointer.size).result() if pointer.size else b""
    try:
        return msgspec.json.decode(data, type=_Pointer).snapshot
    except msgspec.MsgspecError:
        raise IntegrityError(f"{address.at(below + MARKER)}: is not what clinmart wrote: name a new prefix") from None


def _is_ours(name: str) -> bool:
    """True for ``<snapshot>/<table>.parquet``."""
    snapshot, slash, file = name.partition("/")
    return bool(slash) and snapshot[:8].isdigit() and snapshot[8:9] == "T" and file.endswith(".parquet")
