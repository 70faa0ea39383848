"""What stands in the staging area: files of rows and what is known of them, of a chunk and of a commit unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from schemas.consumed import Consumed
from schemas.mapping.numbered import Numbered
from schemas.records import Attempt, Counts, Receipt, total_of


@dataclass(frozen=True, slots=True)
class StagedTable:
    """One Parquet file of checked rows; columns that are null in all of them are left out."""

    table: str
    path: str
    rows: int
    columns: tuple[str, ...]
    types: tuple[str, ...] = ()  # of deletes: the resource types among them
    patches: bool = False  # its rows say only what changed
    repeated: int = 0  # of patches: those that said again what a later one of the file says, and were left out


@dataclass(frozen=True, slots=True)
class FileSignature:
    """The HMAC-SHA256 (32 bytes) of a staged file, and the id of the key that made it."""

    key_id: str
    tag: bytes


@dataclass(slots=True)
class Staged:
    """Files, and what was counted while they were made."""

    tables: list[StagedTable] = field(default_factory=list)
    deletes: list[StagedTable] = field(default_factory=list)  # deletes of any types
    views: list[StagedTable] = field(default_factory=list)  # rows of the mart's views
    views_refused: Counter[str] = field(default_factory=Counter)  # lines by the view that refused them
    rejections: list[str] = field(default_factory=list)  # Parquet files
    findings: list[str] = field(default_factory=list)  # Parquet files
    unread: dict[tuple[str, str], int] = field(default_factory=dict)  # (type, path) -> sampled rows that have it
    sampled: dict[str, int] = field(default_factory=dict)  # type -> rows sampled
    codes: list[str] = field(default_factory=list)  # Parquet files of CODE_COUNTS
    segments: list[str] = field(default_factory=list)  # Parquet files of HL7 v2 segments that are kept as they came
    sections: list[str] = field(default_factory=list)  # Parquet files of parts of documents that are kept as they came
    fhir: list[tuple[str, str]] = field(default_factory=list)  # type and path of rows as FHIR NDJSON
    latest: dict[str, datetime] = field(default_factory=dict)  # type -> greatest `meta.lastUpdated` among the rows
    late: dict[str, int] = field(default_factory=dict)  # type -> rows and deletes below the event watermark
    signatures: dict[str, FileSignature] = field(default_factory=dict)  # of the files by path, when they are signed

    @property
    def paths(self) -> list[str]:
        """All files."""
        rows = [t.path for t in (*self.tables, *self.deletes, *self.views)] + [path for _, path in self.fhir]
        return rows + self.rejections + self.findings + self.codes + self.segments + self.sections

    def take(self, other: Staged) -> None:
        """Add what ``other`` has."""
        self.tables += other.tables
        self.deletes += other.deletes
        self.views += other.views
        self.views_refused += other.views_refused
        self.rejections += other.rejections
        self.findings += other.findings
        self.codes += other.codes
        self.segments += other.segments
        self.sections += other.sections
        self.fhir += other.fhir
        self.signatures |= other.signatures
        for place, rows in other.unread.items():
            self.unread[place] = self.unread.get(place, 0) + rows
        for kind, rows in other.sampled.items():
            self.sampled[kind] = self.sampled.get(kind, 0) + rows
        for kind, rows in other.late.items():
            self.late[kind] = self.late.get(kind, 0) + rows
        for kind, at in other.latest.items():
            self.latest[kind] = max(at, self.latest.get(kind, at))


@dataclass(slots=True)
class StagedChunk(Staged):
    """What is left of a chunk, or of several that were staged together, once the rows are staged."""

    parts: list[dict[str, Counts]] = field(default_factory=list)  # counts of each chunk
    inputs: list[dict[str, Counts]] = field(default_factory=list)  # messages and documents of each chunk, by type
    unrouted: list[int] = field(default_factory=list)  # of each chunk, messages that no rule takes
    held: list[int] = field(default_factory=list)  # of each chunk, late lines that are not let in

    @property
    def counts(self) -> dict[str, Counts]:
        """Counts by resource type, over all chunks that were staged together."""
        return total_of(self.parts)

    def only(self, chunks: slice) -> StagedChunk:
        """The share of some of the chunks: their counts, and with the first chunk the files of all."""
        own = StagedChunk() if chunks.start else self
        return replace(
            own,
            parts=self.parts[chunks],
            inputs=self.inputs[chunks],
            held=self.held[chunks],
            unrouted=self.unrouted[chunks],
        )


def together(staged: Iterable[StagedChunk]) -> StagedChunk:
    """Chunks that were staged one after the other, as one."""
    made = StagedChunk()
    for one in staged:
        made.take(one)
        made.parts += one.parts
        made.inputs += one.inputs or [{} for _ in one.parts]
        made.held += one.held
        made.unrouted += one.unrouted
    return made


@dataclass(slots=True)
class StagedUnit(Staged):
    """What one commit brings into the mart: what was staged, and receipts."""

    receipts: list[Receipt] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)  # a replay's, which has no receipts
    refused_again: dict[str, Counts] = field(default_factory=dict)  # quarantined lines of what has no receipt, by type
    inputs: dict[str, Counts] = field(default_factory=dict)  # messages of a listener by type
    unrouted: int = 0  # of them, those that no rule took
    heard: int | None = None  # the greatest number among a listener's messages, whose rows these are
    erased: list[int] = field(default_factory=list)  # numbers of those about people who were erased
    consumed: list[Consumed] = field(default_factory=list)  # how far a broker's messages are taken in by it
    replaces: str | None = None  # the quarantined line that this unit's only line corrects
    mapping: Numbered | None = None  # what explained the extracts among the files
    remapped: list[str] = field(default_factory=list)  # files that another mapping explained before
    replayed: list[str] = field(default_factory=list)  # files whose late lines are taken in after all
    bytes: int = 0
    rows: int = 0

    @property
    def is_empty(self) -> bool:
        """True when there is nothing to commit."""
        return not (self.receipts or self.attempts or self.consumed or self.inputs) and self.heard is None
