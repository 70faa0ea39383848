"""Stages a batch of a broker's messages; one that breaks the decoder is found, and kept from the others."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import duckdb

from flows.staging_process import ProcessDiedError, StagingProcess
from flows.worker import Worker
from schemas.errors import ClinmartError
from schemas.reasons import Reason
from schemas.records import Chunk, Rejection
from schemas.staged import StagedChunk
from sources.brokers.joined import Joined, Payload, join_messages, message_of, place_in_message, undecodable
from sources.source import ReadLimits

_LOG = logging.getLogger(__name__)
_Numbered = Sequence[tuple[int, Payload]]


@dataclass(slots=True)
class StagedBatch:
    """A batch that was staged.

    ``chunks``   what it became, for each source in the order of the workers
    ``refused``  numbers of the messages of which something is in the quarantine, with the code of the first reason
    ``blank``    numbers of those that hold nothing
    """

    chunks: list[list[StagedChunk]]
    refused: dict[int, str] = field(default_factory=dict)
    blank: set[int] = field(default_factory=set)

    @property
    def paths(self) -> list[str]:
        """All staged files."""
        return [path for chunks in self.chunks for chunk in chunks for path in chunk.paths]

    def take(self, other: StagedBatch) -> None:
        """Add what ``other`` has."""
        for source, chunks in enumerate(other.chunks):
            self.chunks[source] += chunks
        self.refused |= other.refused
        self.blank |= other.blank


class BatchStager:
    """Stages batches; ``tries`` is how often a message that breaks the decoder alone is tried."""

    def __init__(
        self, workers: Sequence[Worker], limits: ReadLimits, tries: int, process: StagingProcess | None = None
    ) -> None:
        self._sources = len(workers)
        self._limits = limits
        self._tries = tries
        self._process = process or StagingProcess(workers)

    def stage(self, payloads: Sequence[Payload], as_of: datetime) -> StagedBatch:
        """The messages, staged. Raises ClinmartError, OSError or MemoryError when that may pass."""
        return self._part(list(enumerate(payloads)), as_of)

    def close(self) -> None:
        """End the process that stages."""
        self._process.close()

    def _part(self, some: _Numbered, as_of: datetime) -> StagedBatch:
        for number in range(1 if len(some) > 1 else self._tries):
            try:
                return self._process.run(stage_messages, some, as_of, self._limits, False)
            except Exception as error:  # a fault of ours in one message must not keep the others out
                if _may_pass(error):
                    raise
                _LOG.warning("%d messages cannot be decoded: %s, try %d", len(some), type(error).__name__, number + 1)
        if len(some) == 1:
            return self._process.run(stage_messages, some, as_of, self._limits, True)
        made = StagedBatch([[] for _ in range(self._sources)])
        for half in (some[: len(some) // 2], some[len(some) // 2 :]):
            made.take(self._part(half, as_of))
        return made


def _may_pass(error: Exception) -> bool:
    """True for what is no message's fault."""
    passing = (ClinmartError, OSError, MemoryError, duckdb.OutOfMemoryException)
    return isinstance(error, passing) and not isinstance(error, ProcessDiedError)


def stage_messages(
    workers: Sequence[Worker], some: _Numbered, as_of: datetime, limits: ReadLimits, broken: bool
) -> StagedBatch:
    """Stage messages, each with its number, for all sources; ``broken``: as ones that cannot be decoded."""
    numbers, payloads = [number for number, _ in some], [payload for _, payload in some]
    joined = Joined(records=[undecodable(*one) for one in some] if broken else [])
    if not broken:
        joined = join_messages(payloads, limits, numbers)
    by_number = dict(some)
    made = StagedBatch([[] for _ in workers], blank=set(joined.blank))

    def placed(rejections: Sequence[Rejection]) -> list[Rejection]:
        """Rejections at the place of their messages; what came twice is kept once."""
        found: dict[tuple[object, ...], Rejection] = {}
        for one in rejections:
            number = message_of(one.offset)
            line = one.line if one.uri else joined.line_in_message(number, one.line)
            there = replace(
                one,
                uri=by_number[number].uri,
                line=line,
                offset=place_in_message(one.offset),
                seen=by_number[number].seen,
            )
            found.setdefault((there.uri, line, there.payload, there.view), there)
            if one.view is None:
                made.refused.setdefault(number, str(one.code))
        return list(found.values())

    for source, (worker, chunks) in enumerate(zip(workers, made.chunks, strict=True)):
        own: list[Chunk] = [joined.lines] if joined.lines is not None and not source else []
        if own or joined.hl7:
            chunks.append(worker.run_again([*own, *joined.hl7], as_of, placed))
        for record in joined.records if not source else ():
            chunks.append(worker.run(replace(record, offset=place_in_message(record.offset)), as_of))
            made.refused.setdefault(message_of(record.offset), str(record.reason or Reason.UNDECODABLE))
    return made
