"""Steps that rows of every format take between their checks and the stage."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import polars as pl

from schemas.lateness import Lateness, LatePolicy
from schemas.reasons import Reason
from schemas.table import Table
from transforms.check import Failure
from transforms.codes.coder import Coder
from transforms.decode.careful import Fault
from transforms.findings import findings_frame
from transforms.late import LATE, late_rows
from transforms.normalise import FLAG_MARKS
from transforms.result import ChunkResult
from transforms.sample import Sampler

IDENTITY_FRAME = ("id", "version_id", "last_updated", "last_updated_nanos", "content_hash")


@dataclass(frozen=True, slots=True)
class Late:
    """Late rows, by what the policy makes of them: all that are not let in, and those that are dropped."""

    refused: list[Failure]
    discarded: list[int]
    held: list[int]


def decide_late(lateness: Lateness, kind: str, own: pl.Series, failed: Collection[int], result: ChunkResult) -> Late:
    """What becomes of the late rows of a type; ``own`` are the times (Datetime) that rows brought with them."""
    late = late_rows(lateness, kind, own, set(failed), result)
    refused = lateness.policy is LatePolicy.QUARANTINE
    return Late(
        [Failure(row, LATE, Reason.LATE) for row in late] if refused else [],
        late if lateness.policy is LatePolicy.DISCARD else [],
        [] if lateness.policy is LatePolicy.MERGE else late,
    )


def sampled_failures(
    sampler: Sampler,
    ids: pl.Series,
    payload: Callable[[int], bytes],
    kind: str,
    table: Table | None,
    failed: Collection[int],
    result: ChunkResult,
) -> list[Failure]:
    """Look at the sample; the failures it adds when it may refuse rows. ``payload`` gives a row as FHIR JSON."""
    found = sampler.look(ids, payload, kind, table)
    result.sampled[kind] = result.sampled.get(kind, 0) + found.rows
    for path, rows in found.unread.items():
        result.unread[kind, path] = result.unread.get((kind, path), 0) + rows
    displays = [f for row, wrong in found.displays.items() if row not in failed for f in wrong]
    if displays:
        result.findings.append(findings_frame(displays))
    fresh = {row: finding for row, finding in found.invalid.items() if row not in failed}
    if not sampler.decides:
        if fresh:
            result.findings.append(findings_frame(fresh.values()))
        return []
    meaning = Reason.SAMPLE_INVALID.meaning
    return [
        Failure(row, Fault(Reason.SAMPLE_INVALID, finding.path, f"{meaning} ({finding.code})"), "fhir.resources")
        for row, finding in fresh.items()
    ]


def count_codes(coder: Coder, kind: str, result: ChunkResult) -> None:
    """Note what the coder met in the rows of a type."""
    counts = coder.counts()
    if counts.height:
        result.codes.append(counts.select(pl.lit(kind).alias("resource_type"), pl.all()))


def without(rows: pl.Series, gone: Collection[int]) -> pl.Series:
    """A column without the rows (by index) that are gone."""
    return rows.filter(~pl.int_range(len(rows), eager=True).is_in(list(gone))) if gone else rows


def accepted_rows(frame: pl.DataFrame, gone: Collection[int]) -> pl.DataFrame:
    """The columns of the mart, without the rows (by index) that are gone."""
    kept = frame.select(c for c in frame.columns if not c.startswith(FLAG_MARKS))
    if not gone:
        return kept
    return kept.with_row_index("~index").filter(~pl.col("~index").is_in(list(gone))).drop("~index")


def without_repeats(frame: pl.DataFrame) -> pl.DataFrame:
    """Of rows of the same id and content only the latest."""
    if frame["id"].n_unique() == frame.height:
        return frame
    order = ["last_updated", "last_updated_nanos"]
    keys = frame.select("id", "content_hash", *order).with_row_index("~index").sort(order, descending=True)
    latest = keys.unique(["id", "content_hash"], keep="first", maintain_order=True)["~index"]
    return frame if len(latest) == frame.height else frame[latest.sort()]


def narrow(frame: pl.DataFrame) -> pl.DataFrame:
    """Without the columns that are null throughout."""
    return frame.select(c for c in frame.columns if c in IDENTITY_FRAME or frame[c].null_count() < frame.height)


def joined(known: pl.DataFrame | None, more: pl.DataFrame) -> pl.DataFrame:
    """Rows of one table, with the columns that any of them has."""
    return narrow(more if known is None else pl.concat([known, more], how="diagonal"))
