"""One chunk, all steps: decode, normalise, identify, check and split into accepted rows and rejections.

This is the unit that threads, Dask and Ray run. It is pure: the same chunk gives the same result, whoever computes it.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import polars as pl

from schemas import signals
from schemas.lateness import Lateness
from schemas.model import ID_PATTERN
from schemas.reasons import Reason
from schemas.records import UNKNOWN_TYPE, VIEW_CHECK, Chunk, Counts, OversizedLine, Rejection
from schemas.suppression import Suppression
from schemas.table import INVALID, NOTE, TIMELESS
from transforms.check import Failure, check
from transforms.codes.coder import Coder
from transforms.codes.targets import Targets
from transforms.decode.alone import resolved_text
from transforms.decode.careful import Fault, resource_id
from transforms.decode.fhir import Decoder, TypeBatch
from transforms.decode.frames import FrameReader
from transforms.decode.lines import Lines, joined
from transforms.decode.unwrap import resources_of
from transforms.findings import notes_frame
from transforms.normalise import Meaning, normalise, notes_of
from transforms.result import ChunkResult
from transforms.rows import accepted_rows, count_codes, decide_late, sampled_failures, without
from transforms.rows import joined as joined_rows
from transforms.sample import Sampler, Sampling
from transforms.suppress import is_theirs, theirs
from transforms.times import fhir_times
from transforms.tombstones import take_deletes
from transforms.units.harmonise import Harmoniser
from transforms.unmention import without_mentions
from transforms.views.fill import ROW_NUMBER

RESOURCE_TABLE = "resource"
_INSTANT = pl.Datetime("us", "UTC")


@dataclass(frozen=True, slots=True)
class Tools:
    """What a worker keeps from chunk to chunk; ``targets`` is the crosswalk."""

    decoder: Decoder
    sampler: Sampler = field(default_factory=lambda: Sampler(Sampling(0)))
    harmoniser: Harmoniser = field(default_factory=Harmoniser)
    lateness: Lateness = field(default_factory=Lateness)
    frames: FrameReader = field(default_factory=FrameReader)
    targets: Targets | None = None
    suppression: Suppression | None = None  # who was erased and must not come back


def transform(chunk: Chunk, tools: Tools, as_of: datetime) -> ChunkResult:
    """All steps for one chunk. ``as_of`` is the time of rows without `meta.lastUpdated`."""
    return transform_together([chunk], tools, as_of)


def transform_together(chunks: Sequence[Chunk], tools: Tools, as_of: datetime) -> ChunkResult:
    """All steps for several chunks at once, as if they were one: small files cost little more than their bytes."""
    opened = [resources_of(chunk) for chunk in chunks]
    firsts = [0, *itertools.accumulate(one.lines.frame.height for one in opened)]
    lines = joined([one.lines for one in opened])
    work = _Work(
        [c.uri for c in chunks], firsts[:-1], lines, as_of, tools, _seen(chunks, [one.lines for one in opened])
    )
    result = ChunkResult(parts=[{} for _ in chunks])
    unwrapped = [
        replace(bad, row=bad.row + first) for one, first in zip(opened, firsts, strict=False) for bad in one.refused
    ]
    with signals.span("clinmart.decode", lines=work.lines.frame.height):
        batches, refused = tools.decoder.decode(work.lines, {bad.row for bad in unwrapped})
    for bad in (*unwrapped, *refused):
        if is_theirs(tools.suppression, work.lines.payload(bad.row)):
            result.add(work.chunk_of(bad.row), bad.resource_type, 1, 0, 1)
            continue
        result.rejections.append(_rejection(work, bad.row, bad.resource_type, bad.fault, bad.fault.reason))
        result.add(work.chunk_of(bad.row), bad.resource_type, 1, 1)
    for batch in batches:
        _batch(work, batch, result)
    if any(one.deletes for one in opened):
        take_deletes([one.deletes for one in opened], work.uris, as_of, tools.lateness, result, tools.suppression)
    return result


@dataclass(frozen=True, slots=True)
class _Work:
    """What all batches share: the resources of all chunks, those of chunk ``n`` from row ``firsts[n]`` on."""

    uris: list[str]
    firsts: list[int]
    lines: Lines
    as_of: datetime
    tools: Tools
    seen: pl.Series | None = None  # when each row's line came (Datetime in UTC); None: all at ``as_of``

    def chunk_of(self, row: int) -> int:
        """The chunk that a row came from."""
        return bisect.bisect_right(self.firsts, row) - 1

    def rows_by_chunk(self, rows: pl.Series) -> list[int]:
        """How many of these rows came from each chunk."""
        if len(self.firsts) == 1:
            return [len(rows)]
        bounds = rows.search_sorted(pl.Series(self.firsts[1:], dtype=rows.dtype), side="left")
        edges = [0, *bounds.to_list(), len(rows)]
        return [after - before for before, after in itertools.pairwise(edges)]


def _seen(chunks: Sequence[Chunk], lines: Sequence[Lines]) -> pl.Series | None:
    """When each resource's line came; None where no chunk tells."""
    if not any(chunk.seen_lines for chunk in chunks):
        return None
    times = [
        pl.Series(chunk.seen_lines, dtype=_INSTANT).gather(own.frame["line"] - chunk.line)
        if chunk.seen_lines
        else pl.repeat(None, own.frame.height, dtype=_INSTANT, eager=True)
        for chunk, own in zip(chunks, lines, strict=True)
    ]
    return pl.concat(times)


def refuse_oversized(line: OversizedLine) -> ChunkResult:
    """What is too long to read, or is no record: its beginning goes to the quarantine."""
    result = ChunkResult(parts=[{}])
    meaning = f"{line.reason.meaning} It has {line.length} bytes, SHA-256 {line.sha256.hex()}."
    result.rejections.append(
        Rejection(
            line.uri,
            line.line,
            line.offset,
            UNKNOWN_TYPE,
            None,
            line.reason,
            None,
            line.reason,
            meaning,
            line.head,
            line.length,
        )
    )
    result.add(0, UNKNOWN_TYPE, 1, 1)
    return result


def suppress_line(*, message: bool = False) -> ChunkResult:
    """One line, or HL7 v2 message, about somebody who was erased, of which nothing is kept."""
    result = ChunkResult(parts=[{}], inputs=[{UNKNOWN_TYPE: Counts(1, suppressed=1)}] if message else [])
    result.add(0, UNKNOWN_TYPE, 1, 0, 1)
    return result


def _batch(work: _Work, batch: TypeBatch, result: ChunkResult) -> None:
    identity, own, flag, notes = _identity(work, batch)
    if batch.table is None:
        frame, failures = _whole(work.lines, batch, identity, flag)
        name = RESOURCE_TABLE
    else:
        coder = Coder(work.tools.targets)
        meaning = Meaning(coder, work.tools.harmoniser, observed=batch.resource_type == "Observation")
        with signals.span("clinmart.normalise", table=batch.table.name, rows=len(batch.rows)):
            body = normalise(batch.raw, batch.table.elements, meaning)
        count_codes(coder, batch.resource_type, result)
        notes += [column for column in body if column.name.startswith(NOTE)]
        frame = identity.hstack([column for column in body if not column.name.startswith(NOTE)])
        with signals.span("clinmart.check", table=batch.table.name, rows=len(batch.rows)):
            failures = check(frame.with_columns(flag), batch.table)
        name = batch.table.name
    erased = theirs(work.tools.suppression, batch.resource_type, batch.table, frame)
    frame, left = without_mentions(frame, batch.table, erased.mentions), {f.row for f in failures} | set(erased.rows)
    failures = [f for f in failures if f.row not in erased.rows]
    failures += sampled_failures(
        work.tools.sampler,
        batch.raw["id"],
        lambda row: work.lines.payload(batch.rows[row]),
        batch.resource_type,
        batch.table,
        left,
        result,
    )
    late = decide_late(work.tools.lateness, batch.resource_type, own, left | {f.row for f in failures}, result)
    failures += late.refused
    for failure in failures:
        row = batch.rows[failure.row]
        if is_theirs(work.tools.suppression, work.lines.payload(row)):
            result.add(work.chunk_of(row), batch.resource_type, 0, 0, 1)
            continue
        result.rejections.append(_rejection(work, row, batch.resource_type, failure.fault, failure.check))
        result.add(work.chunk_of(row), batch.resource_type, 0, 1)
    for dropped in (*late.discarded, *erased.rows):
        result.add(work.chunk_of(batch.rows[dropped]), batch.resource_type, 0, 0, 1)
    result.held.update(work.chunk_of(batch.rows[row]) for row in late.held)
    for number, read in enumerate(work.rows_by_chunk(batch.rows)):
        if read:
            result.add(number, batch.resource_type, read, 0)
    gone = [*(f.row for f in failures), *late.discarded, *erased.rows]
    if notes:
        result.findings.append(notes_frame(batch.resource_type, identity["id"], notes, gone))
    accepted = accepted_rows(frame, gone)
    if accepted.height:
        result.saw(batch.resource_type, without(own, gone))
        result.tables[name] = joined_rows(result.tables.get(name), accepted)
    # What a view makes of a row is made of the resource as it came, with whom it mentions.
    _views(work, batch, identity, {batch.rows[row] for row in (*gone, *erased.mentions)}, result)


def _views(work: _Work, batch: TypeBatch, identity: pl.DataFrame, gone: set[int], result: ChunkResult) -> None:
    """The rows that the mart's views make of the accepted resources, and the resources that only they refuse."""
    for filled in batch.filled:
        for bad in filled.refused:
            if bad.row not in gone:
                refused = _rejection(work, bad.row, batch.resource_type, bad.fault, f"{VIEW_CHECK}{filled.name}")
                result.rejections.append(replace(refused, view=filled.name))
                result.views_refused[filled.name] += 1
        of_row = identity.select(pl.col("id").alias("resource_id"), "content_hash", batch.rows.alias(ROW_NUMBER))
        numbered = pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over(ROW_NUMBER).alias("row_number")
        kept = filled.frame.filter(~pl.col(ROW_NUMBER).is_in(list(gone))) if gone else filled.frame
        made = kept.with_columns(numbered).join(of_row, on=ROW_NUMBER, how="left", maintain_order="left")
        if made.height:
            result.views[filled.name] = made


def _identity(work: _Work, batch: TypeBatch) -> tuple[pl.DataFrame, pl.Series, pl.Series, list[pl.Series]]:
    """The identity columns of a batch, the times among them that rows brought with them, the flag of a
    `meta.lastUpdated` that is no instant, and the notes on it.
    """
    times = fhir_times(batch.raw["last_updated"], "instant")
    updated = times["at"]
    if work.seen is not None:
        updated = pl.select(pl.coalesce(updated, work.seen.gather(batch.rows))).to_series()
    frame = pl.DataFrame(
        [
            batch.raw["id"],
            batch.raw["version_id"],
            updated.fill_null(work.as_of).alias("last_updated"),
            times["nanos"].fill_null(0).alias("last_updated_nanos"),
            work.lines.frame["content_hash"].gather(batch.rows),
        ]
    )
    timeless = frame["version_id"].is_not_null() & times["at"].is_null()
    if timeless.any():
        frame = frame.with_columns(pl.when(timeless).then(True).alias(TIMELESS))
    return (
        frame,
        times["at"],
        times["invalid"].alias(INVALID + "last_updated"),
        notes_of("last_updated", times["flags"]),
    )


def _whole(
    lines: Lines, batch: TypeBatch, identity: pl.DataFrame, flag: pl.Series
) -> tuple[pl.DataFrame, list[Failure]]:
    """Rows of a type without a table: the JSON as received; only identity is checked."""
    frame = identity.with_columns(
        type=pl.lit(batch.resource_type), json=lines.frame["text"].gather(batch.rows).str.strip_chars_end("\r\n")
    )
    faults = (
        (identity["id"].is_null(), Reason.NO_ID, "id"),
        (~identity["id"].str.contains(ID_PATTERN), Reason.INVALID_ID, "id"),
        (flag, Reason.INVALID_TIME, "last_updated"),
    )
    failures = {
        row: Failure(row, Fault(reason, place, reason.meaning), reason)
        for mask, reason, place in reversed(faults)
        for row in mask.fill_null(False).arg_true().to_list()
    }
    return frame, list(failures.values())


def _rejection(work: _Work, row: int, kind: str, fault: Fault, check_name: str) -> Rejection:
    lines = work.lines
    payload = lines.payload(row)
    return Rejection(
        uri=work.uris[work.chunk_of(row)],
        line=lines.frame["line"][row],
        offset=lines.frame["offset"][row],
        resource_type=kind,
        resource_id=resource_id(payload),
        code=fault.reason,
        column=fault.place,
        check=check_name,
        message=fault.message,
        payload=payload,
        length=len(payload),
        resolved=resolved_text(payload, lines.frame["text"][row]),
    )
