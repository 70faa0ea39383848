"""What becomes of a chunk."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from schemas.records import Counts, Rejection, total_of


@dataclass(slots=True)
class ChunkResult:
    """What a chunk gave: accepted rows by table, rejections, and what was read by resource type.

    Frames have the mart's columns except ``source`` and ``load_id``; columns that are null throughout are left out.
    Those of ``views`` also have ``~line`` (UInt32): rows of the same line are of the same resource.
    ``deletes`` has the columns of ``etl.tombstone``. ``counts`` holds ``read``, ``quarantined`` and ``suppressed``
    only: the other dispositions are settled by the commit.
    """

    tables: dict[str, pl.DataFrame] = field(default_factory=dict)
    rows: list[tuple[str, pl.DataFrame]] = field(default_factory=list)  # by table, more accepted rows, frame by frame
    # By table, rows that say only what changed, and how many more said the same as one of them.
    patches: list[tuple[str, pl.DataFrame, int]] = field(default_factory=list)
    segments: list[pl.DataFrame] = field(default_factory=list)  # of HL7 v2, that are kept as they came
    sections: list[pl.DataFrame] = field(default_factory=list)  # parts of documents, that are kept as they came
    fhir: list[tuple[str, bytes]] = field(default_factory=list)  # by type, accepted rows as FHIR NDJSON, if asked for
    inputs: list[dict[str, Counts]] = field(default_factory=list)  # messages and documents of each chunk, by their type
    deletes: pl.DataFrame | None = None
    rejections: list[Rejection] = field(default_factory=list)
    findings: list[pl.DataFrame] = field(default_factory=list)  # rows of etl.validation, without source and load_id
    parts: list[dict[str, Counts]] = field(default_factory=list)  # counts of each chunk
    views: dict[str, pl.DataFrame] = field(default_factory=dict)
    views_refused: Counter[str] = field(default_factory=Counter)  # lines by the view that alone refused them
    unread: dict[tuple[str, str], int] = field(default_factory=dict)  # (type, path) -> sampled rows that have it
    sampled: dict[str, int] = field(default_factory=dict)  # type -> rows sampled
    codes: list[pl.DataFrame] = field(default_factory=list)  # frames of CODE_COUNTS, of all lines read
    held: Counter[int] = field(default_factory=Counter)  # chunk -> its late lines that are not let in
    unrouted: Counter[int] = field(default_factory=Counter)  # chunk -> its messages that no rule takes
    late: Counter[str] = field(default_factory=Counter)  # type -> rows and deletes below the event watermark
    latest: dict[str, datetime] = field(default_factory=dict)  # type -> greatest `meta.lastUpdated` accepted

    @property
    def counts(self) -> dict[str, Counts]:
        """Counts by resource type over all chunks."""
        return total_of(self.parts)

    def add(self, chunk: int, resource_type: str, read: int, quarantined: int, suppressed: int = 0) -> None:
        """Count lines of a type in one of the chunks."""
        counts = self.parts[chunk].setdefault(resource_type, Counts())
        counts.read += read
        counts.quarantined += quarantined
        counts.suppressed += suppressed

    def saw(self, resource_type: str, times: pl.Series) -> None:
        """Note the greatest of the times (Datetime) that accepted rows of a type brought with them."""
        latest = times.max()
        if isinstance(latest, datetime):
            self.latest[resource_type] = max(latest, self.latest.get(resource_type, latest))
