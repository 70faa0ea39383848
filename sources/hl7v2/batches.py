"""Batch and file segments: whether as many messages and batches stand between them as their trailers say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from schemas.reasons import Reason
from sources.hl7v2.marks import BATCH_HEADER, BATCH_TRAILER, FILE_HEADER, NAME_LENGTH


@dataclass(frozen=True, slots=True)
class BatchSegment:
    """A batch or file segment as it stands in the file, without its line break."""

    name: bytes
    text: bytes
    offset: int
    line: int

    @property
    def count(self) -> int | None:
        """BTS-1 or FTS-1, the number of messages or batches (HL7 v2.9 2.14.3, 2.14.7); None: not told."""
        fields = self.text[NAME_LENGTH + 1 :].split(self.text[NAME_LENGTH : NAME_LENGTH + 1] or b"|")
        told = fields[0].strip()
        return int(told) if told.isdigit() and len(told) < 10 else None


Fault = tuple[BatchSegment, Reason]


class Batches:
    """Counts along a file; faults name the segment that is wrong."""

    def __init__(self) -> None:
        self._file: BatchSegment | None = None
        self._batch: BatchSegment | None = None
        self._messages = 0
        self._closed = 0  # batches since the file's header

    def message(self) -> None:
        """A message begins."""
        self._messages += 1

    def meet(self, segment: BatchSegment) -> Iterator[Fault]:
        """One of FHS, BHS, BTS and FTS."""
        if segment.name == BATCH_HEADER:
            yield from _not_closed(self._batch)
            self._batch, self._messages = segment, 0
        elif segment.name == BATCH_TRAILER:
            if segment.count not in (None, self._messages):
                yield segment, Reason.BATCH_COUNT
            self._batch, self._messages = None, 0
            self._closed += 1
        else:
            yield from _not_closed(self._batch)
            self._batch = None
            if segment.name == FILE_HEADER:
                yield from _not_closed(self._file)
                self._file, self._closed, self._messages = segment, 0, 0
                return
            # A file need not have batches (HL7 v2.9 2.10.3.1), and then senders differ on what they count.
            if self._closed and segment.count not in (None, self._closed):
                yield segment, Reason.BATCH_COUNT
            self._file, self._closed = None, 0

    def end(self) -> Iterator[Fault]:
        """The end of the bytes."""
        yield from _not_closed(self._batch)
        yield from _not_closed(self._file)


def _not_closed(header: BatchSegment | None) -> Iterator[Fault]:
    if header is not None:
        yield header, Reason.BATCH_NOT_CLOSED
