"""What one worker does with one chunk: transform it and stage the result. Runs in threads, in Prefect tasks, on
clusters.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from schemas.records import Chunk, Counts, Finding, OversizedLine, StagedTable
from schemas.table import Table
from stores.staging import Stage
from transforms.decode.fhir import Decoder
from transforms.partition import refuse_oversized, transform
from transforms.sample import Sampling


@dataclass(slots=True)
class StagedChunk:
    """What is left of a chunk once its rows are staged: names of files and counts."""

    tables: list[StagedTable] = field(default_factory=list)
    rejections: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    counts: dict[str, Counts] = field(default_factory=dict)
    unread: dict[tuple[str, str], int] = field(default_factory=dict)
    sampled: dict[str, int] = field(default_factory=dict)

    @property
    def paths(self) -> list[str]:
        """All files of the chunk."""
        return [t.path for t in self.tables] + self.rejections


class Worker:
    """Transforms and stages chunks; each thread that calls it has a decoder of its own."""

    def __init__(self, tables: Mapping[str, Table], stage: Stage, source: str, sampling: Sampling) -> None:
        self._tables = tables
        self._stage = stage
        self._source = source
        self._sampling = sampling
        self._local = threading.local()

    def run(self, item: Chunk | OversizedLine, as_of: datetime) -> StagedChunk:
        """Stage one chunk; what it holds is only counted and named in the result."""
        if isinstance(item, OversizedLine):
            result = refuse_oversized(item)
        else:
            result = transform(item, self._decoder(), as_of, self._sampling)
        return StagedChunk(
            self._stage.write_tables(result.tables),
            self._stage.write_rejections(self._source, result.rejections),
            result.findings,
            result.counts,
            result.unread,
            result.sampled,
        )

    def _decoder(self) -> Decoder:
        decoder: Decoder | None = getattr(self._local, "decoder", None)
        if decoder is None:
            decoder = self._local.decoder = Decoder(self._tables)
        return decoder
