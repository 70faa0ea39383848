"""Deletes as rows of ``etl.tombstone``: versions without content."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from schemas.lateness import Lateness, LatePolicy
from schemas.reasons import Reason
from schemas.records import Rejection
from schemas.suppression import Suppression
from transforms.decode.careful import Fault
from transforms.decode.deletes import Delete
from transforms.late import LATE, late_rows
from transforms.result import ChunkResult
from transforms.times import fhir_times


@dataclass(frozen=True, slots=True)
class _Tombstones:
    """``frame``: ``resource_type``, ``id``, ``version_id``, ``last_updated``, ``last_updated_nanos``,
    ``content_hash``, a row for each good delete. ``rows`` are their places in what was given, ``own`` (Datetime) the
    times that they were told with, null where they were told without. ``faults``: the others, by place.
    """

    frame: pl.DataFrame
    rows: list[int]
    own: pl.Series
    faults: dict[int, Fault]


def take_deletes(
    opened: Sequence[Sequence[Delete]],
    uris: Sequence[str],
    as_of: datetime,
    lateness: Lateness,
    result: ChunkResult,
    suppression: Suppression | None = None,
) -> None:
    """The deletes of each chunk into the result: as rows of ``etl.tombstone``, or refused. Of people who were erased
    there is nothing to delete: those are suppressed.
    """
    deletes, chunk_of = [], []
    for number, of_chunk in enumerate(opened):
        for delete in of_chunk:
            if suppression is not None and delete.id and suppression.has(delete.resource_type, delete.id):
                result.add(number, delete.resource_type, 1, 0, 1)
                continue
            deletes.append(delete)
            chunk_of.append(number)
    made = _tombstones(deletes, as_of)
    faults, policy = dict(made.faults), lateness.policy
    kept = made.frame.with_columns(made.own.alias("~own")).with_row_index("~index")
    gone: list[int] = []
    for (kind,), group in kept.group_by("resource_type", maintain_order=True):
        late = late_rows(lateness, str(kind), group["~own"], set(), result)
        if policy is not LatePolicy.MERGE:
            gone += group["~index"].gather(late).to_list()
    if policy is LatePolicy.QUARANTINE:
        faults |= {made.rows[row]: LATE for row in gone}
    for row, delete in enumerate(deletes):
        fault = faults.get(row)
        result.add(chunk_of[row], delete.resource_type, 1, int(fault is not None))
        if fault is not None:
            result.rejections.append(_refused_delete(uris[chunk_of[row]], delete, fault))
    result.held.update(chunk_of[made.rows[row]] for row in gone)
    if policy is LatePolicy.DISCARD:
        for row in gone:
            place = made.rows[row]
            result.add(chunk_of[place], deletes[place].resource_type, 0, 0, 1)
    kept = kept.filter(~pl.col("~index").is_in(gone)) if gone else kept
    for (kind,), group in kept.group_by("resource_type"):
        result.saw(str(kind), group["~own"])
    result.deletes = kept.drop("~index", "~own")


def _tombstones(deletes: Sequence[Delete], as_of: datetime) -> _Tombstones:
    """The rows of deletes; ``as_of`` is the time of those that were told without one."""
    times = fhir_times(pl.Series([delete.updated for delete in deletes], dtype=pl.String), "instant")
    faults = {row: delete.fault for row, delete in enumerate(deletes) if delete.fault is not None}
    for row in times["invalid"].arg_true().to_list():
        faults.setdefault(row, Fault(Reason.INVALID_TIME, "last_updated", Reason.INVALID_TIME.meaning))
    rows = [row for row in range(len(deletes)) if row not in faults]
    good = [deletes[row] for row in rows]
    own, nanos = times["at"].gather(rows), times["nanos"].gather(rows).fill_null(0)
    hashes = [_hash(one, at, n) for one, at, n in zip(good, own.to_list(), nanos.to_list(), strict=True)]
    frame = pl.DataFrame(
        {
            "resource_type": pl.Series([delete.resource_type for delete in good], dtype=pl.String),
            "id": pl.Series([delete.id for delete in good], dtype=pl.String),
            "version_id": pl.Series([delete.version_id for delete in good], dtype=pl.String),
            "last_updated": own.fill_null(as_of),
            "last_updated_nanos": nanos,
            "content_hash": pl.Series(hashes, dtype=pl.Binary),
        }
    )
    return _Tombstones(frame, rows, own, faults)


def _hash(delete: Delete, own: datetime | None, nanos: int) -> bytes:
    """What the delete says, in whatever bytes it was said; a time that it was only given is no part of it."""
    digest = hashlib.sha256()
    time = f"{own.isoformat()} {nanos}" if own is not None else ""
    for part in ("delete", delete.resource_type, delete.id or "", delete.version_id or "", time):
        digest.update(len(part.encode()).to_bytes(8, "big"))
        digest.update(part.encode())
    return digest.digest()


def _refused_delete(uri: str, delete: Delete, fault: Fault) -> Rejection:
    line, offset = delete.place
    size = len(delete.payload)
    return Rejection(
        uri=uri,
        line=line,
        offset=offset,
        resource_type=delete.resource_type,
        resource_id=delete.id,
        code=fault.reason,
        column=fault.place,
        check=fault.reason,
        message=fault.message,
        payload=delete.payload,
        length=size,
    )
