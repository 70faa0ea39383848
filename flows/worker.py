"""What one worker does with one chunk: transform it and stage the result. Runs in threads, in Prefect tasks, on
clusters.
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from schemas import signals
from schemas.crosswalk import Crosswalk
from schemas.formats import Format
from schemas.lateness import Lateness
from schemas.records import Chunk, ChunkKind, OversizedLine, Rejection
from schemas.signals import REFUSED
from schemas.staged import StagedChunk, together
from schemas.suppression import Suppression
from schemas.table import Table
from schemas.view_table import ViewTable
from stores.staging import Stage
from transforms.codes.displays import displays_of
from transforms.codes.targets import targets_of
from transforms.decode.fhir import Decoder
from transforms.options import ExtractOptions, MessageOptions
from transforms.partition import Tools, refuse_oversized, suppress_line, transform_together
from transforms.result import ChunkResult
from transforms.sample import Sampler, Sampling
from transforms.suppress import is_theirs
from transforms.units.harmonise import Harmoniser

# Steps of a format are imported when a file of it comes: to have all at hand costs a small load a tenth of its time.
# ruff: noqa: PLC0415
if TYPE_CHECKING:
    from transforms.decode.extract.fields import FieldReader

Placed = Callable[[Sequence[Rejection]], list[Rejection]]


def _format(chunk: Chunk) -> Format:
    """What a chunk is transformed as."""
    return _FORMATS.get(chunk.kind, Format.FHIR)


_FORMATS = {ChunkKind.HL7V2: Format.HL7V2, ChunkKind.CCDA: Format.CCDA, ChunkKind.EXTRACT: Format.EXTRACT}


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
        messages: MessageOptions | None = None,
        extracts: ExtractOptions | None = None,
        suppression: Suppression | None = None,
    ) -> None:
        self._tables = tables
        self._views = views
        self.stage = stage
        self.source = source
        self.sampling = sampling
        self.preferred = preferred
        self.crosswalk = crosswalk
        self.messages = messages or MessageOptions()
        self.extracts = extracts
        self.suppression = suppression
        self._targets = None if crosswalk is None else targets_of(crosswalk)
        self._displays = None if crosswalk is None else displays_of(crosswalk)
        self._lateness = lateness
        self._local = threading.local()

    def __getstate__(self) -> dict[str, object]:
        """What another process needs to do the same."""
        return {name: value for name, value in self.__dict__.items() if name != "_local"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._local = threading.local()

    def run(self, item: Chunk | OversizedLine, as_of: datetime) -> StagedChunk:
        """Stage one chunk; what it holds is only counted and named in the result."""
        if isinstance(item, OversizedLine):
            taken = refuse_oversized(item) if self.messages.takes_rubbish else ChunkResult(parts=[{}])
            if taken.rejections and is_theirs(self.suppression, item.head):
                taken = suppress_line()
            return self._staged(taken, as_of)
        return self.run_together([item], as_of)

    def run_together(self, chunks: Sequence[Chunk], as_of: datetime) -> StagedChunk:
        """Stage several small chunks as if they were one."""
        staged = []
        for form, alike in itertools.groupby(chunks, key=_format):
            same = list(alike)
            with signals.span(
                "clinmart.chunk", format=str(form), chunks=len(same), size=sum(len(c.data) for c in same)
            ):
                staged.append(self._staged(self._transformed(same, form, as_of), as_of))
        return staged[0] if len(staged) == 1 else together(staged)

    def _transformed(self, chunks: Sequence[Chunk], form: Format, as_of: datetime) -> ChunkResult:
        with signals.span("clinmart.transform"):
            if form is Format.EXTRACT and self.extracts is not None:
                from transforms.extracts import transform_extracts

                return transform_extracts(chunks, self._tools(), self._fields(), as_of, self.extracts)
            if form is Format.CCDA:
                from transforms.documents import transform_documents

                return transform_documents(chunks, self._tools(), as_of, self.messages)
            if form is Format.HL7V2:
                from transforms.messages import transform_messages

                return transform_messages(chunks, self._tools(), as_of, self.messages)
            return transform_together(chunks, self._tools(), as_of)

    def run_again(self, chunks: Sequence[Chunk], as_of: datetime, placed: Placed) -> StagedChunk:
        """Stage chunks that are made of quarantined lines; what is refused is staged as ``placed`` makes of it."""
        staged = []
        for form, alike in itertools.groupby(chunks, key=_format):
            result = self._transformed(list(alike), form, as_of)
            result.rejections = placed(result.rejections)
            staged.append(self._staged(result, as_of))
        return staged[0] if len(staged) == 1 else together(staged)

    def judge(self, chunks: Sequence[Chunk], as_of: datetime) -> list[Rejection]:
        """What of messages would be refused; nothing is staged."""
        return self._transformed(chunks, Format.HL7V2, as_of).rejections

    def refuse(self, message: Chunk, as_of: datetime) -> StagedChunk:
        """Stage a message that cannot be taken apart as one that is refused, unless it is about somebody who was
        erased.
        """
        if is_theirs(self.suppression, message.data):
            return self._staged(suppress_line(message=True), as_of)
        from transforms.messages import refuse_message

        return self._staged(refuse_message(message), as_of)

    def _staged(self, result: ChunkResult, as_of: datetime) -> StagedChunk:
        for (kind, reason), rows in Counter((r.resource_type, str(r.code)) for r in result.rejections).items():
            signals.tell(REFUSED, rows, source=self.source, resource_type=kind, reason=reason)
        with signals.span("clinmart.stage", tables=len(result.tables) + len(result.rows) + len(result.patches)):
            return self._written(result, as_of)

    def _written(self, result: ChunkResult, as_of: datetime) -> StagedChunk:
        tables = [staged for name, rows in result.rows for staged in self.stage.write_tables({name: rows})]
        chunk = StagedChunk(
            tables=self.stage.write_tables(result.tables) + tables + self.stage.write_patches(result.patches),
            deletes=self.stage.write_deletes(result.deletes),
            views=self.stage.write_views(result.views),
            views_refused=result.views_refused,
            rejections=self.stage.write_rejections(self.source, result.rejections, as_of),
            findings=self.stage.write_findings(result.findings),
            parts=result.parts,
            unread=result.unread,
            sampled=result.sampled,
            codes=self.stage.write_codes(result.codes),
            segments=self.stage.write_segments(result.segments),
            sections=self.stage.write_sections(result.sections),
            fhir=self.stage.write_fhir(result.fhir),
            inputs=result.inputs or [{} for _ in result.parts],
            held=[result.held[chunk] for chunk in range(len(result.parts))],
            unrouted=[result.unrouted[chunk] for chunk in range(len(result.parts))],
            late=dict(result.late),
            latest=result.latest,
        )
        return self.stage.sign(chunk)

    def _fields(self) -> FieldReader:
        reader: FieldReader | None = getattr(self._local, "fields", None)
        if reader is None:
            from transforms.decode.extract.fields import FieldReader

            reader = self._local.fields = FieldReader()
        return reader

    def _tools(self) -> Tools:
        tools: Tools | None = getattr(self._local, "tools", None)
        if tools is None:
            sampler = Sampler(self.sampling, self._displays)
            decoder = Decoder(self._tables, self._views)
            harmoniser = Harmoniser(self.preferred)
            targets, gone = self._targets, self.suppression
            tools = Tools(decoder, sampler, harmoniser, self._lateness, targets=targets, suppression=gone)
            self._local.tools = tools
        return tools
