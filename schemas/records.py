"""The records that pass between rooms. Plain, frozen, without behaviour beyond their own arithmetic."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import polars as pl

from schemas.formats import Format
from schemas.mapping.dialect import Dialect
from schemas.reasons import Reason

DISPOSITIONS = ("applied", "superseded", "duplicate", "quarantined", "suppressed")
UNKNOWN_TYPE = "Unknown"
# What was met in coded columns, as it is staged: a spelling of a code system (`met` is alias), or a code that the
# crosswalk gives no target for (`met` is the reason, `code` null where it does not look like one).
CODE_COUNTS: dict[str, type[pl.DataType]] = {
    "resource_type": pl.String,
    "column_name": pl.String,
    "met": pl.String,
    "system": pl.String,
    "code": pl.String,
    "sent": pl.String,
    "codings": pl.Int64,
}
VIEW_CHECK = "view "  # begins the name of the check of a line that only a view of the mart refuses


class ChunkKind(StrEnum):
    """What one line of a chunk is; of ``HL7V2``, what one message is; of ``CCDA``, what the whole chunk is."""

    RESOURCE = "resource"  # a FHIR resource (or a whole Bundle) in JSON
    ENTRY = "entry"  # one `Bundle.entry` object of a streamed Bundle
    DELETE = "delete"  # one delete: type, id and perhaps time, with commas between them
    HL7V2 = "hl7v2"  # an HL7 v2 message, its segments ended by carriage returns, line feeds or both
    CCDA = "ccda"  # a C-CDA document, whole
    EXTRACT = "extract"  # a record of separated values, over any number of lines


@dataclass(frozen=True, slots=True)
class Partition:
    """A file, or a line-aligned byte range of a large plain one: the unit of work and of receipts.

    ``start`` and ``end`` are nominal byte positions (``end`` None: to the end of the file). A reader of the
    range owns exactly the lines whose first byte lies in ``[start, end)``, so neighbours share no line and lose none.
    """

    uri: str
    start: int = 0
    end: int | None = None
    size: int = 0  # bytes on disk, for progress
    deletes: bool = False  # it was named as a file of deletes: anything else in it is refused
    format: Format = Format.AUTO
    dialect: Dialect | None = None  # of an extract
    etag: str | None = None  # of an object: what its store calls the content that was listed


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines of one file, as received: no line is cut, none is left out.

    ``data`` ends with a line feed. ``offset`` is the byte offset of its first byte in the (decompressed) file and
    ``line``
    the 1-based number of its first line. For ``ENTRY`` chunks each line is one entry object with its line breaks
    blanked, ``line`` counts entries and ``offsets`` gives each line's byte offset in the file (else None: the
    offsets follow from the lengths of the lines).

    ``references`` maps ``urn:uuid:...`` of a Bundle to the ``Type/id`` that the Bundle gives it, ``updated`` is the
    Bundle's `meta.lastUpdated`. ``deletes``: nothing but deletes is expected.

    An ``HL7V2`` chunk holds whole messages instead, with the bytes around them (frames, batch segments): message ``n``
    has ``lengths[n]`` bytes from ``offsets[n]`` on, which is its offset in the file. A line is what a carriage return,
    a line feed or both end. A ``CCDA`` chunk is the bytes of one document.

    An ``EXTRACT`` chunk holds records of separated values, written in ``dialect``, whose columns are called ``names``;
    the last of a file may lack its line feed.
    """

    uri: str
    offset: int
    line: int
    data: bytes
    kind: ChunkKind = ChunkKind.RESOURCE
    offsets: tuple[int, ...] | None = None
    references: Mapping[str, str] = field(default_factory=dict)
    updated: str | None = None
    deletes: bool = False
    lengths: tuple[int, ...] | None = None
    names: tuple[str, ...] = ()
    dialect: Dialect | None = None
    seen: datetime | None = None  # when it came, where that is another time than that of its load
    seen_lines: tuple[datetime, ...] = ()  # the same of each line, where they came one by one

    @property
    def sha256(self) -> bytes:
        """SHA-256 of ``data``, computed when it is asked for."""
        return hashlib.sha256(self.data).digest()


@dataclass(frozen=True, slots=True)
class OversizedLine:
    """A line longer than the reader's limit, of which only its beginning is kept, or bytes that are no record for
    another ``reason``.
    """

    uri: str
    offset: int
    line: int
    head: bytes
    length: int
    sha256: bytes
    reason: Reason = Reason.LINE_TOO_LONG


@dataclass(frozen=True, slots=True)
class Rejection:
    """One refused line: ``code`` is a stable reason, ``message`` says it in words without the value."""

    uri: str
    line: int
    offset: int
    resource_type: str
    resource_id: str | None
    code: str
    column: str | None
    check: str | None
    message: str
    payload: bytes
    length: int  # of the line in bytes; more than the payload where only its beginning is kept
    view: str | None = None  # the view of the mart that alone refused it; the other tables have its rows
    resolved: str | None = None  # the line with what its Bundle says of it, or of an extract the names of its columns
    seen: datetime | None = None  # when it came, where that is another time than that of its load


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a replay made of a quarantined line: its ``state`` now and, unless it passed, today's reason."""

    quarantine_id: str
    state: str
    attempts: int  # refused so often by replays
    reason: str | None = None
    column_name: str | None = None
    check_name: str | None = None
    message: str | None = None


@dataclass(slots=True)
class Counts:
    """Dispositions of one resource type; ``read`` is always their sum."""

    read: int = 0
    applied: int = 0
    superseded: int = 0
    duplicate: int = 0
    quarantined: int = 0
    suppressed: int = 0

    def add(self, other: Counts) -> None:
        """Add the counts of ``other`` to these."""
        for name in ("read", *DISPOSITIONS):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def balanced(self) -> bool:
        """True when every line that was read has exactly one disposition."""
        settled = self.applied + self.superseded + self.duplicate + self.quarantined + self.suppressed
        return self.read == settled

    def as_dict(self) -> dict[str, int]:
        """The counts by name, ``read`` first."""
        return {name: getattr(self, name) for name in ("read", *DISPOSITIONS)}


@dataclass(slots=True)
class LoadReport:
    """What a load did; :meth:`as_dict` is the object that ``clinmart load --json`` prints."""

    load_id: str
    source: str
    as_of: datetime
    started_at: datetime
    status: str = "ok"
    resources: dict[str, Counts] = field(default_factory=dict)
    tables: dict[str, int] = field(default_factory=dict)
    bytes: int = 0
    seconds: float = 0.0
    refused: list[str] = field(default_factory=list)  # files refused whole, with the reason
    deferred: list[str] = field(default_factory=list)  # objects left to the next load, with the reason
    views: dict[str, int] = field(default_factory=dict)  # lines that a view of the mart alone refused, by view
    unmapped: int = 0  # coded fields to which the crosswalk gives no target
    unmapped_codes: list[dict[str, Any]] = field(default_factory=list)  # the most frequent of them
    notes: list[str] = field(default_factory=list)  # what the user should know of a load that went well
    kind: str = "load"
    inputs: dict[str, Counts] = field(default_factory=dict)  # HL7 v2 messages and documents by type
    unrouted: int = 0  # of them, those that no rule takes, and that are kept whole
    sources: dict[str, LoadReport] = field(default_factory=dict)  # of a load by rules, whose sum this report is
    conflicts: dict[str, int] = field(default_factory=dict)  # pairs of versions in conflict, by type
    late: dict[str, int] = field(default_factory=dict)  # rows and deletes below the event watermark, by type
    options: Mapping[str, str] = field(default_factory=dict)  # of the load, that shape its rows; kept with its commits

    def count(self, resource_type: str) -> Counts:
        """The counts of one type, made when first asked for."""
        return self.resources.setdefault(resource_type, Counts())

    def total(self) -> Counts:
        """The counts over all types."""
        total = Counts()
        for counts in self.resources.values():
            total.add(counts)
        return total

    def as_dict(self) -> dict[str, object]:
        """The report as plain JSON values."""
        return {
            "load_id": self.load_id,
            "source": self.source,
            "status": self.status,
            "as_of": self.as_of.isoformat(),
            "resources": {name: c.as_dict() for name, c in sorted(self.resources.items())},
            "tables": dict(sorted(self.tables.items())),
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
            "refused": self.refused,
            "deferred": self.deferred,
            "views": {name: {"refused": lines} for name, lines in sorted(self.views.items())},
            "unmapped": self.unmapped,
            "unmapped_codes": self.unmapped_codes,
            "notes": self.notes,
            "inputs": {name: counts.as_dict() for name, counts in sorted(self.inputs.items())},
            "unrouted": self.unrouted,
            "version_conflicts": dict(sorted(self.conflicts.items())),
            "late": dict(sorted(self.late.items())),
            "sources": {name: report.as_dict() for name, report in self.sources.items()},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LoadReport:
        """The report whose :meth:`as_dict` is ``values``."""
        as_of = datetime.fromisoformat(values["as_of"])
        report = cls(values["load_id"], values["source"], as_of, as_of)
        report.status, report.bytes, report.seconds = values["status"], values["bytes"], values["seconds"]
        report.resources = {name: Counts(**counts) for name, counts in values["resources"].items()}
        report.tables, report.refused = dict(values["tables"]), list(values["refused"])
        report.views = {name: view["refused"] for name, view in values["views"].items()}
        report.unmapped, report.unmapped_codes = values["unmapped"], list(values["unmapped_codes"])
        report.notes, report.deferred = list(values["notes"]), list(values["deferred"])
        report.inputs = {name: Counts(**counts) for name, counts in values["inputs"].items()}
        report.conflicts, report.late = dict(values["version_conflicts"]), dict(values["late"])
        report.unrouted = values["unrouted"]
        report.sources = {name: cls.from_dict(one) for name, one in values["sources"].items()}
        return report


def total_of(parts: Iterable[Mapping[str, Counts]]) -> dict[str, Counts]:
    """The sums of counts by type."""
    total: dict[str, Counts] = {}
    for part in parts:
        for kind, counts in part.items():
            total.setdefault(kind, Counts()).add(counts)
    return total


@dataclass(frozen=True, slots=True)
class Finding:
    """Something worth knowing about a row that does not refuse it (``etl.validation``)."""

    resource_type: str
    resource_id: str
    finding: str
    path: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class ReadExport:
    """An export that was read to its end: what was asked for, of what changed ``since`` (None: all), and its time."""

    scope: str
    since: datetime | None
    until: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """A partition that was wholly staged; committed with its rows, it is never read again."""

    partition: Partition
    sha256: bytes
    lines: int
    as_of: datetime
    as_of_given: bool  # told by the user or a manifest, not taken from the clock
    resources: Mapping[str, Counts]  # read, quarantined and suppressed by type
    held: int = 0  # lines that were late and not let in
    inputs: Mapping[str, Counts] = field(default_factory=dict)  # messages, documents and records by type
    unrouted: int = 0  # of them, those that no rule took
    routes: str | None = None  # hash of the rules that routed them
    mapping: str | None = None  # hash of what the mapping says of an extract
