"""C-CDA chunks, all steps: documents to whole versions of rows.

The same projection, normaliser and checks serve them as FHIR; what differs is that an element may be left out though R4
requires it (the document does not tell it), that times may lack an offset, and that the document tells the version.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
import polars as pl

from schemas.bookkeeping import SECTION_COLUMNS
from schemas.notes import Note
from schemas.records import UNKNOWN_TYPE, Chunk, Counts, Finding, Rejection
from schemas.suppression import PERSON
from schemas.table import INVALID, NOTE
from transforms.check import check
from transforms.codes.coder import Coder
from transforms.decode.careful import Fault
from transforms.decode.ccda.assumed import ASSUMED
from transforms.decode.ccda.document import read_document
from transforms.decode.ccda.draft import Draft, Row
from transforms.decode.ccda.node import DocumentFault
from transforms.decode.fhir import TypeBatch
from transforms.decode.hl7v2.fhir_json import resource_lines
from transforms.decode.lines import Lines, split_lines
from transforms.findings import findings_frame, notes_frame
from transforms.normalise import Meaning, normalise, notes_of
from transforms.options import MessageOptions
from transforms.partition import Tools
from transforms.result import ChunkResult
from transforms.rows import accepted_rows, count_codes, decide_late, narrow, sampled_failures, without
from transforms.suppress import is_theirs, theirs
from transforms.times import hl7v2_times
from transforms.unmention import without_mentions

_BATCH = 2 * 1024 * 1024  # bytes of JSON that go through the projection at once
_PLACES = 20  # refused places of one document that are kept, each with the whole document
_LARGE = 1024 * 1024  # of a document with more bytes only one is
_LONGEST = 16 * 1024 * 1024  # of a document with more bytes only its refused row is kept, or its beginning
_HEAD = 64 * 1024
_SECONDS = 14  # characters of a TS up to the second
_START = "0101000000"  # what a TS that ends with the year lacks


def transform_documents(chunks: Sequence[Chunk], tools: Tools, as_of: datetime, options: MessageOptions) -> ChunkResult:
    """All steps for ``CCDA`` chunks at once, each of which is one document."""
    result = ChunkResult(parts=[{} for _ in chunks], inputs=[{} for _ in chunks])
    work = _Work(chunks, as_of, tools, options)
    told: list[tuple[int, Row]] = []
    for number, chunk in enumerate(chunks):
        try:
            draft = read_document(chunk.data)
        except DocumentFault as fault:
            work.kinds.append(UNKNOWN_TYPE)
            work.versions.append((None, None))
            meant = Fault(fault.reason, None, fault.reason.meaning)
            result.add(number, UNKNOWN_TYPE, 1, 0)
            work.refuse(number, chunk.line + fault.line - 1, UNKNOWN_TYPE, meant, fault.reason, b"", result)
            continue
        work.kinds.append(draft.kind)
        work.versions.append((draft.told_at, draft.version))
        told += ((number, row) for row in reversed(draft.rows))
        if draft.patient and tools.suppression is not None and tools.suppression.has(PERSON, draft.patient):
            work.erased.add(number)
        if number not in work.erased:
            _keep(chunk, draft, result)
        del draft
    for some in _batches(told):
        lines = _lines(some)
        batches, refused = tools.decoder.decode(lines, views=False)
        for bad in refused:
            number, row = some[bad.row]
            result.add(number, bad.resource_type, 1, 0)
            work.refuse(number, row.line, bad.resource_type, bad.fault, bad.fault.reason, row.data, result)
        for batch in batches:
            _rows(work, some, lines, batch, result)
    _count_inputs(work, result)
    return result


@dataclass(slots=True)
class _Work:
    """What all batches share. By document: its kind, and its time and version as sent."""

    chunks: Sequence[Chunk]
    as_of: datetime
    tools: Tools
    options: MessageOptions
    kinds: list[str] = field(default_factory=list)
    versions: list[tuple[str | None, str | None]] = field(default_factory=list)
    bad: dict[int, set[int]] = field(default_factory=dict)  # documents of which something was refused, with its lines
    erased: set[int] = field(default_factory=set)  # documents about somebody who was erased

    def times(self, text: pl.Series, _: str = "") -> pl.DataFrame:
        """The times of texts that are a TS."""
        return hl7v2_times(text, self.options.zone)

    def refuse(
        self, number: int, line: int, kind: str, fault: Fault, check_name: str, row: bytes, result: ChunkResult
    ) -> None:
        """Something of a document is refused, and counted: it goes to the quarantine, once for each of the first lines
        of it that are at fault (of one that is too long to be kept, the ``row``), unless it is about somebody who was
        erased.
        """
        chunk = self.chunks[number]
        if number in self.erased or is_theirs(self.tools.suppression, chunk.data):
            self.erased.add(number)
            result.add(number, kind, 0, 0, 1)
            return
        result.add(number, kind, 0, 1)
        places = self.bad.setdefault(number, set())
        most = 1 if len(chunk.data) > _LARGE else _PLACES
        if line in places or len(places) >= most:
            return
        places.add(line)
        result.rejections.append(
            Rejection(
                uri=chunk.uri,
                line=line,
                offset=chunk.offset,
                resource_type=kind,
                resource_id=None,
                code=fault.reason,
                column=fault.place,
                check=check_name,
                message=fault.message,
                payload=chunk.data if len(chunk.data) <= _LONGEST else row or chunk.data[:_HEAD],
                length=len(chunk.data),
            )
        )


def _batches(told: list[tuple[int, Row]]) -> Iterator[list[tuple[int, Row]]]:
    """The rows in lots of about so many bytes, those of a type side by side; ``told`` is used up."""
    told.sort(key=lambda one: one[1].resource_type, reverse=True)
    lot: list[tuple[int, Row]] = []
    held = 0
    while told:
        one = told.pop()
        lot.append(one)
        held += len(one[1].data)
        if held >= _BATCH:
            yield lot
            lot, held = [], 0
    if lot:
        yield lot


def _lines(some: Sequence[tuple[int, Row]]) -> Lines:
    data = b"".join(row.data + b"\n" for _, row in some)
    return split_lines(Chunk("", 0, 1, data))


def _rows(work: _Work, some: Sequence[tuple[int, Row]], lines: Lines, batch: TypeBatch, result: ChunkResult) -> None:
    """The rows of one type: normalised, identified, checked and split."""
    tools, kind, table = work.tools, batch.resource_type, batch.table
    assert table is not None  # the maps make only types that have one
    rows = batch.rows.to_list()
    numbers = [some[row][0] for row in rows]
    identity, own, flag, notes = _identity(work, numbers, lines, batch)
    coder = Coder(tools.targets)
    meaning = Meaning(coder, tools.harmoniser, observed=kind == "Observation", times=work.times)
    body = normalise(batch.raw, table.elements, meaning)
    count_codes(coder, kind, result)
    notes += [column for column in body if column.name.startswith(NOTE)]
    frame = identity.hstack([column for column in body if not column.name.startswith(NOTE)])
    failures = check(frame.with_columns(flag), table, patch=True)
    erased = theirs(tools.suppression, kind, table, frame)
    work.erased |= {numbers[row] for row in erased.rows}
    frame, failures = without_mentions(frame, table, erased.mentions), [f for f in failures if f.row not in erased.rows]

    def payload(row: int) -> bytes:
        return next(_fhir(work, kind, [some[rows[row]]]))

    failed = {f.row for f in failures} | set(erased.rows)
    failures += sampled_failures(tools.sampler, batch.raw["id"], payload, kind, table, failed, result)
    late = decide_late(tools.lateness, kind, own, failed | {f.row for f in failures}, result)
    failures += late.refused
    for failure in failures:
        number, row = some[rows[failure.row]]
        work.refuse(number, row.line, kind, failure.fault, failure.check, row.data, result)
    for late_row in (*late.discarded, *erased.rows):
        result.add(numbers[late_row], kind, 0, 0, 1)
    result.held.update(numbers[row] for row in late.held)
    for number in numbers:
        result.add(number, kind, 1, 0)
    gone = [*(f.row for f in failures), *late.discarded, *erased.rows]
    if notes:
        result.findings.append(notes_frame(kind, identity["id"], notes, gone))
    kept = accepted_rows(frame, gone)
    if kept.height:
        result.saw(kind, without(own, gone))
        result.rows.append((table.name, narrow(kept)))
        if work.options.fhir:
            left = set(gone)
            written = _fhir(work, kind, [some[row] for place, row in enumerate(rows) if place not in left])
            result.fhir.append((kind, b"".join(line + b"\n" for line in written)))


def _identity(
    work: _Work, numbers: Sequence[int], lines: Lines, batch: TypeBatch
) -> tuple[pl.DataFrame, pl.Series, pl.Series, list[pl.Series]]:
    """The identity columns, the times that the documents tell, the flag of one that is none, and the notes.

    A time orders versions, so one that is not known to the second, or lacks its offset where no zone was given, counts
    as the first of what it may be, in UTC: the order of documents must not depend on when they are loaded.
    """
    told = pl.Series([work.versions[n][0] for n in numbers], dtype=pl.String)
    read = hl7v2_times(told, work.options.zone)
    zone = work.options.zone or "UTC"
    at = pl.select(pl.coalesce(read["at"], hl7v2_times(_whole(told), zone)["at"])).to_series()
    frame = pl.DataFrame(
        [
            batch.raw["id"],
            pl.Series("version_id", [work.versions[n][1] for n in numbers], dtype=pl.String),
            at.fill_null(work.as_of).alias("last_updated"),
            read["nanos"].fill_null(0).alias("last_updated_nanos"),
            lines.frame["content_hash"].gather(batch.rows),
        ]
    )
    flag = read["invalid"].alias(INVALID + "last_updated")
    return frame, at, flag, notes_of("last_updated", read["flags"])


def _whole(text: pl.Series) -> pl.Series:
    """Times without offset to the second, by the first of what they leave open."""
    clock = text.str.replace(r"[-+][0-9]{4}$", "")
    size = clock.str.len_bytes()
    missing = pl.lit(_START).str.slice(size.cast(pl.Int64) - 4)
    return pl.select(pl.when(size < _SECONDS).then(pl.concat_str(clock, missing)).otherwise(clock)).to_series()


def _fhir(work: _Work, kind: str, some: Sequence[tuple[int, Row]]) -> Iterator[bytes]:
    """Rows as FHIR JSON, with the version that their document gives them."""
    resources = []
    for number, row in some:
        resource = json.loads(row.data, parse_float=_as_sent, parse_int=_as_sent)
        del resource["resourceType"]
        at, version = work.versions[number]
        meta = {name: value for name, value in (("versionId", version), ("lastUpdated", at)) if value}
        resources.append({"id": resource.pop("id"), **({"meta": meta} if meta else {}), **resource})
    yield from resource_lines(kind, resources, ASSUMED.get(kind, {}), work.options.zone)


def _as_sent(digits: str) -> msgspec.Raw:
    return msgspec.Raw(digits.encode())


_DTYPES = {"VARCHAR": pl.String, "BLOB": pl.Binary, "INTEGER": pl.Int32, "BIGINT": pl.Int64}
_SECTION_SCHEMA = {c.name: _DTYPES[c.dtype] for c in SECTION_COLUMNS if c.name not in ("source", "load_id")}


def _keep(chunk: Chunk, draft: Draft, result: ChunkResult) -> None:
    """The parts of a document that no table has, and that it had to be mended."""
    if draft.parts:
        whole = (draft.sha256, draft.document_id, draft.kind, draft.patient)
        rows = [
            (
                whole[0],
                part.ordinal,
                *whole[1:],
                part.reason,
                part.section_code,
                part.section_title,
                part.template_id,
                part.element,
                part.text,
                part.xml,
                chunk.uri,
                chunk.line + part.line - 1,
            )
            for part in draft.parts
        ]
        result.sections.append(pl.DataFrame(rows, schema=_SECTION_SCHEMA, orient="row"))
    if draft.mended:
        name = draft.document_id or draft.sha256.hex()
        note = Note.DOCUMENT_MENDED
        result.findings.append(findings_frame([Finding("Document", name, "note", "", note, note.meaning)]))


def _count_inputs(work: _Work, result: ChunkResult) -> None:
    """What became of each document, by type: applied, quarantined when anything of it was refused, suppressed when
    it is about somebody who was erased.
    """
    for number, kind in enumerate(work.kinds):
        counts = result.inputs[number].setdefault(kind, Counts())
        counts.read += 1
        if number in work.bad:
            counts.quarantined += 1
        elif number in work.erased:
            counts.suppressed += 1
        else:
            counts.applied += 1
