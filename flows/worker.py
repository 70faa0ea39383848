"""What one worker does with one chunk: transform it and stage the result. Runs in threads, in Prefect tasks, on
clusters.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from schemas.crosswalk import Crosswalk
from schemas.lateness import Lateness
from schemas.records import Chunk, Counts, OversizedLine, Rejection, StagedTable
from schemas.table import Table
from schemas.view_table import ViewTable
from stores.staging import Stage
from transforms.codes.displays import displays_of
from transforms.codes.targets import targets_of
from transforms.decode.fhir import Decoder
from transforms.partition import Tools, refuse_oversized, transform_together
from transforms.result import ChunkResult
from transforms.sample import Sampler, Sampling
from transforms.units.harmonise import Harmoniser

Placed = Callable[[Sequence[Rejection]], list[Rejection]]


@dataclass(slots=True)
class StagedChunk:
    """What is left of a chunk once its rows are staged: names of files and counts."""

    tables: list[StagedTable] = field(default_factory=list)
    deletes: list[StagedTable] = field(default_factory=list)
    views: list[StagedTable] = field(default_factory=list)
    views_refused: Counter[str] = field(default_factory=Counter)
    rejections: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    parts: list[dict[str, Counts]] = field(default_factory=list)  # counts of each chunk
    unread: dict[tuple[str, str], int] = field(default_factory=dict)
    sampled: dict[str, int] = field(default_factory=dict)
    codes: list[str] = field(default_factory=list)
    held: list[int] = field(default_factory=list)  # of each chunk, late lines that are not let in
    late: dict[str, int] = field(default_factory=dict)
    latest: dict[str, datetime] = field(default_factory=dict)

    @property
    def paths(self) -> list[str]:
        """All files of the chunk."""
        staged = (*self.tables, *self.deletes, *self.views)
        return [t.path for t in staged] + self.rejections + self.findings + self.codes

    @property
    def counts(self) -> dict[str, Counts]:
        """Counts by resource type, over all chunks that were staged together."""
        total: dict[str, Counts] = {}
        for part in self.parts:
            for kind, counts in part.items():
                total.setdefault(kind, Counts()).add(counts)
        return total

    def only(self, chunks: slice) -> StagedChunk:
        """The share of some of the chunks: their counts, and with the first chunk the files of all."""
        parts, held = self.parts[chunks], self.held[chunks]
        return replace(self, parts=parts, held=held) if chunks.start == 0 else StagedChunk(parts=parts, held=held)


class Worker:
    """Transforms and stages chunks; each thread that calls it has tools of its own.

    ``preferred`` are the user's units by LOINC code, in place of the project's.
    """

    def __init__(
        self,
        tables: Mapping[str, Table],
        views: Sequence[ViewTable],
        stage: Stage,
        source: str,
        sampling: Sampling,
        preferred: Mapping[str, str],
        lateness: Lateness,
        crosswalk: Crosswalk | None = None,
    ) -> None:
        self._tables = tables
        self._views = views
        self.stage = stage
        self.source = source
        self.sampling = sampling
        self.preferred = preferred
        self.crosswalk = crosswalk
        self._targets = None if crosswalk is None else targets_of(crosswalk)
        self._displays = None if crosswalk is None else displays_of(crosswalk)
        self._lateness = lateness
        self._local = threading.local()

    def run(self, item: Chunk | OversizedLine, as_of: datetime) -> StagedChunk:
        """Stage one chunk; what it holds is only counted and named in the result."""
        if isinstance(item, OversizedLine):
            return self._staged(refuse_oversized(item), as_of)
        return self.run_together([item], as_of)

    def run_together(self, chunks: Sequence[Chunk], as_of: datetime) -> StagedChunk:
        """Stage several small chunks as if they were one."""
        return self._staged(transform_together(chunks, self._tools(), as_of), as_of)

    def run_again(self, chunks: Sequence[Chunk], as_of: datetime, placed: Placed) -> StagedChunk:
        """Stage chunks that are made of quarantined lines; what is refused is staged as ``placed`` makes of it."""
        result = transform_together(chunks, self._tools(), as_of)
        result.rejections = placed(result.rejections)
        return self._staged(result, as_of)

    def _staged(self, result: ChunkResult, as_of: datetime) -> StagedChunk:
        return StagedChunk(
            self.stage.write_tables(result.tables),
            self.stage.write_deletes(result.deletes),
            self.stage.write_views(result.views),
            result.views_refused,
            self.stage.write_rejections(self.source, result.rejections, as_of),
            self.stage.write_findings(result.findings),
            result.parts,
            result.unread,
            result.sampled,
            self.stage.write_codes(result.codes),
            [result.held[chunk] for chunk in range(len(result.parts))],
            dict(result.late),
            result.latest,
        )

    def _tools(self) -> Tools:
        tools: Tools | None = getattr(self._local, "tools", None)
        if tools is None:
            sampler = Sampler(self.sampling, self._displays)
            decoder = Decoder(self._tables, self._views)
            harmoniser = Harmoniser(self.preferred)
            tools = self._local.tools = Tools(decoder, sampler, harmoniser, self._lateness, targets=self._targets)
        return tools
