"""HL7 v2 chunks, all steps: messages to rows that say only what changed.

The same projection, normaliser and checks serve them as FHIR; what differs is where the raw columns come from, that an
element may be left out though R4 requires it (another message tells it), and that times may lack an offset.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

import polars as pl

from schemas.reasons import Reason
from schemas.records import UNKNOWN_TYPE, Chunk, Counts, Finding, Rejection
from schemas.suppression import PERSON
from schemas.table import INVALID, NOTE
from transforms.alike import Alike
from transforms.check import check
from transforms.codes.coder import Coder
from transforms.decode.careful import Fault
from transforms.decode.hl7v2.content import content_hashes
from transforms.decode.hl7v2.fhir_json import fhir_lines
from transforms.decode.hl7v2.maps.rows import Made
from transforms.decode.hl7v2.messages import Messages, Told, messages_of
from transforms.decode.hl7v2.read_fields import READ_FIELDS, numbers, unread_fields
from transforms.decode.hl7v2.resources import made_of
from transforms.decode.hl7v2.segments import Segments, segments_of
from transforms.elements import columns_of_elements
from transforms.findings import findings_frame, notes_frame
from transforms.normalise import Meaning, notes_of
from transforms.options import MessageOptions
from transforms.partition import Tools
from transforms.result import ChunkResult
from transforms.rows import accepted_rows, count_codes, decide_late, narrow, sampled_failures, without, without_repeats
from transforms.suppress import is_theirs, theirs
from transforms.times import hl7v2_times
from transforms.unmention import without_mentions

_INSTANT = pl.Datetime("us", "UTC")
_JSON = ("extension", "modifier_extension")  # columns of JSON that are made of structs
CLEARED = "~cleared"  # column of patches: the elements that the sender cleared


def transform_messages(chunks: Sequence[Chunk], tools: Tools, as_of: datetime, options: MessageOptions) -> ChunkResult:
    """All steps for ``HL7V2`` chunks at once."""
    messages = messages_of(chunks, Told(options.charset, options.zone, options.routes, options.source))
    result = ChunkResult(parts=[{} for _ in chunks], inputs=[{} for _ in chunks])
    work = _Work(messages, chunks, as_of, tools, options)
    for number, fault in messages.refused.items():
        work.refuse(number, 1, UNKNOWN_TYPE, fault, fault.reason, result)
        result.add(work.chunk_of(number), UNKNOWN_TYPE, 1, 0)
    for alike, (places, texts) in messages.texts.items():
        segments = segments_of(texts, places, alike.separators, alike.zone)
        made = [] if alike.kept else made_of(segments)
        told = {number for rows in made for number in rows.frame["message"].unique()}
        while made:  # what was worked on is let go, for it is wide
            _rows(work, made.pop(0), alike.zone, result)
        _keep_segments(work, segments, told, result)
        _tell_of_charsets(work, segments, result)
    _count_inputs(work, result)
    result.unrouted.update(work.chunk_of(number) for number in messages.unrouted)
    return result


def refuse_message(chunk: Chunk) -> ChunkResult:
    """A chunk of one message whole in the quarantine, because it cannot be taken apart."""
    why = Reason.UNDECODABLE
    result = ChunkResult(parts=[{}], inputs=[{UNKNOWN_TYPE: Counts(1, quarantined=1)}])
    result.add(0, UNKNOWN_TYPE, 1, 1)
    place = (chunk.uri, chunk.line, chunk.offset, UNKNOWN_TYPE, None)
    size = len(chunk.data)
    result.rejections.append(Rejection(*place, why, None, why, why.meaning, chunk.data, size, seen=chunk.seen))
    return result


class _Work:
    """What all batches share."""

    def __init__(
        self, messages: Messages, chunks: Sequence[Chunk], as_of: datetime, tools: Tools, options: MessageOptions
    ) -> None:
        self.messages = messages
        self.uris = [chunk.uri for chunk in chunks]
        self.as_of = as_of
        self.tools = tools
        self.options = options
        self.bad: set[int] = set()  # messages of which something was refused
        self.erased: set[int] = set()  # messages about somebody who was erased
        self.patients: dict[int, str] = {}  # by message the id of its first patient's row
        self._places: set[tuple[int, int]] = set()
        self._seen = [chunk.seen for chunk in chunks]

    def chunk_of(self, number: int) -> int:
        """The chunk that a message came in."""
        return int(self.messages.chunk[number])

    def seen_at(self, numbers: pl.Series) -> pl.Series | pl.Expr:
        """When each of these messages came (Datetime in UTC); a literal where that is one time for all."""
        if not any(self._seen):
            return pl.lit(self.as_of, _INSTANT)
        times = pl.Series([seen or self.as_of for seen in self._seen], dtype=_INSTANT)
        return times.gather(self.messages.chunk.gather(numbers))

    def is_erased(self, number: int) -> bool:
        """True for a message about somebody who was erased, though nothing could be made of it."""
        if number not in self.erased and is_theirs(self.tools.suppression, self.messages.message(number).payload):
            self.erased.add(number)
        return number in self.erased

    def by_chunk(self, numbers: pl.Series) -> list[tuple[int, int]]:
        """How many rows each chunk has."""
        if len(self.uris) == 1:
            return [(0, len(numbers))]
        return Counter(self.messages.chunk.gather(numbers).to_list()).items()  # type: ignore[return-value]

    def refuse(self, number: int, ordinal: int, kind: str, fault: Fault, check_name: str, result: ChunkResult) -> None:
        """Something of a message is refused, and counted: it goes to the quarantine, once for each of its segments that
        is at fault, unless it is about somebody who was erased.
        """
        if self.is_erased(number):
            result.add(self.chunk_of(number), kind, 0, 0, 1)
            return
        result.add(self.chunk_of(number), kind, 0, 1)
        self.bad.add(number)
        if (number, ordinal) in self._places:
            return
        self._places.add((number, ordinal))
        message = self.messages.message(number)
        result.rejections.append(
            Rejection(
                uri=self.uris[message.chunk],
                line=message.line + ordinal - 1,
                offset=message.offset,
                resource_type=kind,
                resource_id=None,
                code=fault.reason,
                column=fault.place,
                check=check_name,
                message=fault.message,
                payload=message.payload,
                length=len(message.payload),
                seen=self._seen[message.chunk],
            )
        )


def _rows(work: _Work, made: Made, zone: str | None, result: ChunkResult) -> None:
    """The rows of one map: projected, normalised, identified, checked and split."""
    tools, kind = work.tools, made.resource_type
    table = tools.decoder.tables[kind]
    alike = Alike(made.frame.select(pl.exclude("message", "ordinal", "meta")), unlike=("id",))
    identity, own, flag, notes = _identity(made, alike, zone, work.seen_at(made.frame["message"]))
    coder = Coder(tools.targets)

    def times(text: pl.Series, _: str) -> pl.DataFrame:
        """The times of texts that are HL7 v2 DTM."""
        return hl7v2_times(text, zone)

    meaning = Meaning(coder, tools.harmoniser, observed=kind == "Observation", times=times)
    body = columns_of_elements(alike, table, tools.frames, meaning, _without_nulls)
    count_codes(coder, kind, result)
    notes += [column for column in body if column.name.startswith(NOTE)]
    frame = identity.hstack([column for column in body if not column.name.startswith(NOTE)])
    failures = check(frame.with_columns(flag), table, patch=True)
    messages, ordinals = made.frame["message"], made.frame["ordinal"]
    if kind == PERSON:
        for number, patient in zip(messages.to_list(), identity["id"].to_list(), strict=True):
            work.patients.setdefault(number, patient)
    erased = theirs(tools.suppression, kind, table, frame)
    work.erased |= {messages[row] for row in erased.rows}
    frame, failures = without_mentions(frame, table, erased.mentions), [f for f in failures if f.row not in erased.rows]

    def payload(row: int) -> bytes:
        return next(fhir_lines(replace(made, frame=made.frame[row : row + 1]), zone))

    failed = {f.row for f in failures} | set(erased.rows)
    failures += sampled_failures(tools.sampler, identity["id"], payload, kind, table, failed, result)
    late = decide_late(tools.lateness, kind, own, failed | {f.row for f in failures}, result)
    failures += late.refused
    for failure in failures:
        work.refuse(messages[failure.row], ordinals[failure.row], kind, failure.fault, failure.check, result)
    for row in (*late.discarded, *erased.rows):
        result.add(work.chunk_of(messages[row]), kind, 0, 0, 1)
    result.held.update(work.chunk_of(messages[row]) for row in late.held)
    for chunk, read in work.by_chunk(messages):
        result.add(chunk, kind, read, 0)
    gone = [*(f.row for f in failures), *late.discarded, *erased.rows]
    if notes:
        result.findings.append(notes_frame(kind, identity["id"], notes, gone))
    if made.frame["cleared"].null_count() < made.frame.height:
        frame = frame.with_columns(made.frame["cleared"].alias(CLEARED))
    kept = accepted_rows(frame, gone)
    if kept.height:
        result.saw(kind, without(own, gone))
        latest = without_repeats(kept)
        result.patches.append((table.name, narrow(latest), kept.height - latest.height))
        if work.options.fhir:
            rows = made if not gone else replace(made, frame=accepted_rows(made.frame, gone))
            result.fhir.append((kind, b"".join(line + b"\n" for line in fhir_lines(rows, zone))))


def _without_nulls(raw: pl.DataFrame) -> pl.DataFrame:
    """The columns that hold JSON without the members that are null: a column has all that any extension of it has.

    Within a text a quotation mark has a backslash before it, so no text can look like such a member.
    """
    held = [name for name in _JSON if name in raw.columns]
    return raw.with_columns(
        pl.col(name).str.replace_all(r',"[^"\\]+":null', "").str.replace_all(r'\{"[^"\\]+":null,?', "{")
        for name in held
    )


def _identity(
    made: Made, alike: Alike, zone: str | None, seen: pl.Series | pl.Expr
) -> tuple[pl.DataFrame, pl.Series, pl.Series, list[pl.Series]]:
    """The identity columns, the times that rows brought with them, the flag of one that is none, and the notes.

    A time without offset where no zone was given orders rows by its wall clock, for that is all that is known of it.
    """
    text = made.frame["meta"].struct.field("lastUpdated")
    times = hl7v2_times(text, zone)
    at = times["at"]
    if at.null_count() > text.null_count() and zone is None:
        wall = hl7v2_times(text, "UTC")["at"]
        at = pl.select(pl.coalesce(at, wall)).to_series()
    frame = pl.DataFrame(
        [
            made.frame["id"],
            pl.select(pl.coalesce(at, seen).alias("last_updated")).to_series(),
            times["nanos"].fill_null(0).alias("last_updated_nanos"),
            content_hashes(alike),
        ]
    )
    return frame, at, times["invalid"].alias(INVALID + "last_updated"), notes_of("last_updated", times["flags"])


def _keep_segments(work: _Work, segments: Segments, told: Collection[int], result: ChunkResult) -> None:
    """Segments with something that no map reads, and all of messages of which nothing is ``told``."""
    whole = [number for number in segments.messages["message"] if number not in told]
    kept = [
        frame.with_columns(segment=pl.lit(name))
        for name, each in segments.by_name.items()
        if (frame := _kept(name, each, whole, result)).height
    ]
    if not kept:
        return
    rows = pl.concat(kept).join(segments.messages, on="message", how="left")
    if work.tools.suppression is not None:
        rows = rows.filter(~pl.col("message").is_in([n for n in rows["message"].unique() if work.is_erased(n)]))
    places = rows["message"].to_list()
    messages = {number: work.messages.message(number) for number in dict.fromkeys(places)}
    result.segments.append(
        rows.select(
            pl.Series("uri", [work.uris[messages[n].chunk] for n in places], dtype=pl.String),
            pl.Series("line", [messages[n].line for n in places], dtype=pl.Int64) + rows["ordinal"] - 1,
            pl.col("control_id"),
            pl.col("type").alias("message_type"),
            pl.Series("message_hash", [messages[n].sha256 for n in places], dtype=pl.Binary),
            pl.col("ordinal").cast(pl.Int32),
            pl.col("segment"),
            pl.col("text"),
            pl.col("unread"),
            pl.Series("patient_id", [work.patients.get(n) for n in places], dtype=pl.String),
        )
    )


def _kept(name: str, frame: pl.DataFrame, whole: Sequence[int], result: ChunkResult) -> pl.DataFrame:
    """Those of the segments of one name that are kept, with the numbers of the fields that no map reads (``unread``;
    null: it reads none), which are counted.
    """
    columns = ["message", "ordinal", "text"]
    none = pl.lit(None, dtype=pl.List(pl.Int32)).alias("unread")
    if name not in READ_FIELDS:
        return frame.select(*columns, none)
    not_made = frame.filter(pl.col("message").is_in(list(whole))).select(*columns, none)
    rest = frame.filter(~pl.col("message").is_in(list(whole))) if not_made.height else frame
    left = unread_fields(name, rest)
    result.sampled[name] = result.sampled.get(name, 0) + rest.height
    if not left:
        return not_made
    for column in left:
        place = (name, f"{name}-{column[1:]}")
        result.unread[place] = result.unread.get(place, 0) + rest.height - rest[column].null_count()
    some = rest.select(*columns, numbers(left).alias("unread")).filter(pl.col("unread").is_not_null())
    return pl.concat([not_made, some])


def _tell_of_charsets(work: _Work, segments: Segments, result: ChunkResult) -> None:
    """What is noted of the character sets of messages, each by its control id."""
    noted = work.messages.notes
    if not noted:
        return
    rows = segments.messages.filter(pl.col("message").is_in(list(noted)))
    found = [
        Finding(work.messages.types[number], control_id, "note", "MSH-18", noted[number], noted[number].meaning)
        for number, control_id in rows.select("message", pl.col("control_id").fill_null("")).iter_rows()
    ]
    if found:
        result.findings.append(findings_frame(found))


def _count_inputs(work: _Work, result: ChunkResult) -> None:
    """What became of each message, by type: applied, quarantined when anything of it was refused, suppressed when any
    of it was an erased person's.
    """
    none = pl.repeat(0, len(work.messages.types), dtype=pl.UInt32, eager=True)
    bad, gone = none.scatter(sorted(work.bad), 1), none.scatter(sorted(work.erased - work.bad), 1)
    kinds = pl.DataFrame(
        [work.messages.chunk.alias("chunk"), work.messages.types.alias("type"), bad.alias("bad"), gone.alias("gone")]
    )
    counts = kinds.group_by("chunk", "type", maintain_order=True).agg(pl.len(), pl.col("bad", "gone").sum())
    for chunk, kind, read, refused, dropped in counts.iter_rows():
        applied = read - refused - dropped
        result.inputs[chunk][kind] = Counts(read, applied=applied, quarantined=refused, suppressed=dropped)
