"""Chunks of extracts, all steps: records to whole versions of rows, as a mapping says.

The same projection, normaliser and checks serve them as FHIR; what differs is where the raw columns come from, that an
element may be left out though R4 requires it (the extract does not tell it), and that times may lack an offset.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from schemas.mapping import Entry, Mapping
from schemas.records import UNKNOWN_TYPE, Chunk, ChunkKind, Counts, Rejection
from schemas.table import INVALID, NOTE, Table
from schemas.tables import all_tables
from transforms.alike import Alike
from transforms.check import Failure, check
from transforms.codes.coder import Coder
from transforms.decode.careful import Fault
from transforms.decode.ccda.assumed import ASSUMED
from transforms.decode.extract.fhir_text import fhir_rows
from transforms.decode.extract.fields import FieldReader, Fields
from transforms.decode.extract.rows import Rows, rows_of
from transforms.decode.hl7v2.content import content_hashes
from transforms.findings import notes_frame
from transforms.normalise import Meaning, normalise, notes_of
from transforms.options import ExtractOptions
from transforms.partition import Tools
from transforms.result import ChunkResult
from transforms.rows import accepted_rows, count_codes, decide_late, narrow, sampled_failures, without
from transforms.suppress import is_theirs, theirs
from transforms.times import bracketed_times
from transforms.unmention import without_mentions

RECORD = "Record"  # the name under which lines of extracts are counted


def transform_extracts(
    chunks: Sequence[Chunk], tools: Tools, reader: FieldReader, as_of: datetime, options: ExtractOptions
) -> ChunkResult:
    """All steps for ``EXTRACT`` chunks."""
    result = ChunkResult(parts=[{} for _ in chunks], inputs=[{} for _ in chunks])
    for number, chunk in enumerate(chunks):
        _Chunk(number, chunk, tools, reader, as_of, options).into(result)
    return result


@dataclass(slots=True)
class _Made:
    """The rows of one entry on their way through the checks; ``frame`` has the columns of the mart."""

    entry: Entry
    table: Table
    rows: Rows
    frame: pl.DataFrame
    own: pl.Series
    notes: list[pl.Series]
    failures: list[Failure]
    erased: list[int]  # rows of people who were erased


@dataclass(slots=True)
class _Chunk:
    number: int
    chunk: Chunk
    tools: Tools
    reader: FieldReader
    as_of: datetime
    options: ExtractOptions
    told: set[int] = field(default_factory=set)  # records that are in the quarantine
    erased: set[int] = field(default_factory=set)  # records about people who were erased

    def into(self, result: ChunkResult) -> None:
        """Add what the chunk gives to a result. A record that any entry refuses makes no row of any."""
        entries = self.options.mapping.of(self.chunk.uri)
        wanted = list(dict.fromkeys(name for entry in entries for name, _ in entry.reads()))
        fields = self.reader.read(self.chunk, wanted or self.chunk.names[:1])
        kind = _tables()[entries[0].table].resource_type if entries else UNKNOWN_TYPE
        bad: dict[int, str] = {}  # records that are refused, and the type that they are counted under
        for record, reason in fields.refused:
            if is_theirs(self.tools.suppression, self._payload(fields, record), fields=True):
                self.erased.add(record)
                result.add(self.number, kind, 1, 0, 1)
                continue
            bad[record] = kind
            self._refuse(fields, record, kind, Fault(reason, None, reason.meaning), reason, result)
        made = [self._made(entry, fields, result) for entry in entries]
        for one in made:
            self.erased |= {fields.numbers[row] for row in one.erased}
        for one in made:
            for failure in one.failures:
                record = fields.numbers[failure.row]
                if record in self.erased:  # no row of it goes anywhere
                    one.erased += [failure.row] if failure.row not in one.erased else []
                elif record not in bad:
                    bad[record] = one.table.resource_type
                    self._refuse(fields, record, bad[record], failure.fault, failure.check, result)
        for of in bad.values():
            result.add(self.number, of, 1, 1)
        refused = fields.numbers.is_in(list(bad)).arg_true().to_list() if bad else []
        for one in made:
            self._take(one, fields, refused, result)
        counts = result.inputs[self.number].setdefault(RECORD, Counts())
        counts.read += len(fields.numbers) + len(fields.refused)
        counts.quarantined += len(bad)
        counts.suppressed += len(self.erased - bad.keys())
        counts.applied += len(fields.numbers) + len(fields.refused) - len(self.erased | bad.keys())

    def _made(self, entry: Entry, fields: Fields, result: ChunkResult) -> _Made:
        """The rows of an entry: projected, normalised, identified and checked."""
        tools, table = self.tools, _tables()[entry.table]
        kind = table.resource_type
        rows = rows_of(entry, table, fields.frame, self.options.zone)
        raw = tools.frames.read(_elements(rows), table)
        identity, own, flag, notes = self._identity(entry, rows)
        coder = Coder(tools.targets)
        meaning = Meaning(coder, tools.harmoniser, observed=kind == "Observation", times=bracketed_times)
        body = normalise(raw, table.elements, meaning)
        count_codes(coder, kind, result)
        notes += [column for column in body if column.name.startswith(NOTE)]
        frame = identity.hstack([column for column in body if not column.name.startswith(NOTE)])
        failures = [
            Failure(row, Fault(reason, place, reason.meaning), reason)
            for row, (place, reason) in sorted(rows.faults.items())
        ]
        failures += [f for f in check(frame.with_columns(flag), table, patch=True) if f.row not in rows.faults]

        def payload(row: int) -> bytes:
            return next(fhir_rows(kind, _one(rows, row), ASSUMED.get(kind, {})))

        erased = theirs(tools.suppression, kind, table, frame)
        failed = {f.row for f in failures} | set(erased.rows)
        failures += sampled_failures(tools.sampler, rows.ids, payload, kind, table, failed, result)
        frame = without_mentions(frame, table, erased.mentions)
        failures = [f for f in failures if f.row not in erased.rows]
        return _Made(entry, table, rows, frame, own, notes, failures, erased.rows)

    def _identity(self, entry: Entry, rows: Rows) -> tuple[pl.DataFrame, pl.Series, pl.Series, list[pl.Series]]:
        """The identity columns, the times that rows brought with them, the flag of one that is none, and the notes.

        A time orders versions, so of one without offset where no zone is known the wall clock counts as UTC, and of a
        date its first instant: the order of files must not depend on when they are loaded.
        """
        times = bracketed_times(rows.updated)
        wall = bracketed_times(_completed(rows.updated))["at"]
        at = pl.select(pl.coalesce(times["at"], wall)).to_series()
        version = pl.Series([self.options.version(entry)], dtype=pl.String).new_from_index(0, len(rows.ids))
        frame = pl.DataFrame(
            [
                rows.ids,
                version.alias("version_id"),
                at.fill_null(self.as_of).alias("last_updated"),
                times["nanos"].fill_null(0).alias("last_updated_nanos"),
                content_hashes(Alike(_elements(rows), unlike=("id",))),
            ]
        )
        return frame, at, times["invalid"].alias(INVALID + "last_updated"), notes_of("last_updated", times["flags"])

    def _take(self, one: _Made, fields: Fields, refused: list[int], result: ChunkResult) -> None:
        """Take the rows of the records that no entry refuses."""
        kind, left = one.table.resource_type, {*refused, *one.erased}
        erased = [row for row in one.erased if row not in refused]
        late = decide_late(self.tools.lateness, kind, one.own, left, result)
        for failure in late.refused:
            left.add(failure.row)
            self._refuse(fields, fields.numbers[failure.row], kind, failure.fault, failure.check, result)
        gone = [*left, *(row for row in late.discarded if row not in left)]
        result.held.update([self.number] * len(late.held))
        if one.frame.height == len(refused):
            return
        suppressed = len(late.discarded) + len(erased)
        result.add(self.number, kind, one.frame.height - len(refused), len(late.refused), suppressed)
        if one.notes:
            result.findings.append(notes_frame(kind, one.rows.ids, one.notes, gone))
        kept = accepted_rows(one.frame, gone)
        if not kept.height:
            return
        result.saw(kind, without(one.own, gone))
        result.rows.append((one.table.name, narrow(kept)))
        if self.options.fhir:
            away = set(gone)
            rows = [row for row in range(one.frame.height) if row not in away]
            written = fhir_rows(kind, _some(one.rows, rows), ASSUMED.get(kind, {}))
            result.fhir.append((kind, b"".join(line + b"\n" for line in written)))

    def _payload(self, fields: Fields, record: int) -> bytes:
        """The line or lines of a record, as they came."""
        begin, end = int(fields.records.starts[record]), int(fields.records.ends[record])
        return self.chunk.data[begin:end].removesuffix(b"\n").removesuffix(b"\r")

    def _refuse(
        self, fields: Fields, record: int, kind: str, fault: Fault, check_name: str, result: ChunkResult
    ) -> None:
        if record in self.told:
            return
        self.told.add(record)
        chunk, records, payload = self.chunk, fields.records, self._payload(fields, record)
        result.rejections.append(
            Rejection(
                uri=chunk.uri,
                line=chunk.line + int(records.lines[record]),
                offset=chunk.offset + int(records.starts[record]),
                resource_type=kind,
                resource_id=None,
                code=fault.reason,
                column=fault.place,
                check=check_name,
                message=fault.message,
                payload=payload,
                length=len(payload),
                resolved=column_names(chunk.names),
            )
        )


def column_names(names: Sequence[str]) -> str:
    """The names of a file's columns as they are kept beside a refused line of it."""
    return json.dumps({"columns": list(names)}, ensure_ascii=False)


def names_kept(resolved: str | None) -> tuple[str, ...] | None:
    """The names that :func:`column_names` kept; None for any other text."""
    if resolved is None or not resolved.startswith('{"columns": ['):
        return None
    return tuple(json.loads(resolved)["columns"])


def line_chunk(uri: str, line: int, lines: bytes, names: tuple[str, ...], mapping: Mapping) -> Chunk:
    """Refused lines of a file as a chunk of their own, to be read by a mapping; the first is number ``line``.

    UsageError when the mapping says nothing of the file, or asks for columns that it has not.
    """
    dialect = mapping.stored(uri)
    names = dialect.header or names
    mapping.must_fit(uri, names)
    return Chunk(uri, line, line, lines, ChunkKind.EXTRACT, names=names, dialect=dialect)


def _tables() -> dict[str, Table]:
    return {table.name: table for table in all_tables()}


def _elements(rows: Rows) -> pl.DataFrame:
    return rows.elements.hstack([rows.ids]) if rows.elements.width else rows.ids.to_frame()


def _some(rows: Rows, which: Sequence[int]) -> Rows:
    at = list(which)
    return Rows(rows.ids[at], rows.updated[at], rows.elements[at] if rows.elements.width else rows.elements, {})


def _one(rows: Rows, row: int) -> Rows:
    return _some(rows, [row])


def _completed(text: pl.Series) -> pl.Series:
    """Times to the second in UTC, by the first of what they leave open; those with an offset or zone as they are."""
    clock = text.str.replace(r"(?:\[[^\]]*\])$", "")
    size = clock.str.len_bytes()
    rest = pl.lit("0000-01-01T00:00:00").str.slice(size.cast(pl.Int64))
    whole = pl.when(size < len("0000-01-01T00:00:00")).then(pl.concat_str(clock, rest)).otherwise(clock)
    marked = text.str.contains(r"(?:Z|[+-][0-9]{2}:[0-9]{2})$")
    return pl.select(pl.when(marked).then(text).otherwise(whole + "Z")).to_series()
