"""Bytes into chunks of whole HL7 v2 messages: frames, batches, or messages one after another."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

from schemas.reasons import Reason
from schemas.records import Chunk, ChunkKind, OversizedLine
from sources.hl7v2.batches import Batches, BatchSegment
from sources.hl7v2.marks import (
    BATCH_HEADER,
    END_BLOCK,
    FILE_HEADER,
    LOOK_BACK,
    MESSAGE,
    NAME_LENGTH,
    START_BLOCK,
    Mark,
    count_lines,
    first_line,
    is_blank,
    marks_of,
    without_breaks,
)
from sources.lines import Piece
from sources.oversized import HEAD_BYTES, LongLine
from sources.source import ReadLimits

_SHARE = 2  # a chunk of messages is cut at this part of `chunk_bytes`: its rows take several times what it has in bytes
_KEPT = LOOK_BACK + NAME_LENGTH + 1  # bytes of a long message that may belong to the mark after it


def split_messages(
    blocks: Iterable[bytes], uri: str, limits: ReadLimits, *, offset: int = 0, line: int = 1
) -> Iterator[Piece]:
    """Cut ``blocks`` into chunks of whole messages; how the blocks are cut changes no message.

    A message begins with MSH at the start of a line and ends before the next, before a batch segment, or with its
    frame. ``offset`` and ``line`` are those of the first byte. What is no part of a message comes as an
    :class:`OversizedLine` with its reason, and so do a message in a frame that is not closed, one longer than
    ``limits.line_bytes``, and a batch segment whose counts are wrong. Blanks, and batch segments that are right, are
    passed over.
    """
    cutter = MessageCutter(uri, limits, offset, line)
    for block in blocks:
        yield from cutter.feed(block)
    yield from cutter.finish()


class MessageCutter:
    """The state of :func:`split_messages`. It holds no more than a chunk, a block and the longest message allowed."""

    def __init__(self, uri: str, limits: ReadLimits, offset: int = 0, line: int = 1) -> None:
        self._uri = uri
        self._limits = limits
        self._offset = offset  # of the first byte that is held
        self._line = line
        self._held: list[bytes] = []
        self._size = 0
        self._chunk_bytes = -(-limits.chunk_bytes // _SHARE)
        self._wanted = self._chunk_bytes
        self._long: LongLine | None = None  # a message, or other bytes, too long to be held
        self._long_reason = Reason.LINE_TOO_LONG
        self._after_return = False  # the bytes given away end with a carriage return
        self._told = line  # the line up to which pieces were counted
        self._spans = _Spans(uri, limits.line_bytes)

    def feed(self, block: bytes) -> Iterator[Piece]:
        """Take the next bytes; gives what is whole by now."""
        self._held.append(block)
        self._size += len(block)
        if self._size >= self._wanted:
            yield from self._cut(b"".join(self._held))

    def finish(self) -> Iterator[Piece]:
        """What is left when there are no more bytes."""
        data = b"".join(self._held)
        marks = marks_of(data)
        if self._long is not None:
            marks = [mark for mark in marks if mark[0] >= LOOK_BACK]
            end = marks[0][0] if marks else len(data)
            yield from self._end_long(data[:end])
            data, marks = data[end:], [(at - end, name) for at, name in marks]
        yield from self._region(data, marks)
        for refused in self._spans.end():
            yield refused, 0

    def _cut(self, data: bytes) -> Iterator[Piece]:
        """Give what stands before the last mark that is sure, and keep the rest."""
        marks = [mark for mark in marks_of(data) if mark[0] + NAME_LENGTH < len(data)]
        if self._long is not None:
            marks = [mark for mark in marks if mark[0] >= LOOK_BACK]
            if not marks:
                self._prolong(data)
                return
            first = marks[0][0]
            yield from self._end_long(data[:first])
            data, marks = data[first:], [(at - first, name) for at, name in marks]
        if marks:
            at, name = marks[-1]
            cut = at + (name == END_BLOCK)  # the end of a frame belongs to the message before it
            if cut:
                yield from self._region(data[:cut], [mark for mark in marks if mark[0] < cut])
                data = data[cut:]
        if len(data) > self._limits.line_bytes + _KEPT:
            self._long = LongLine(self._uri, self._offset, self._line)
            self._long_reason = self._spans.skip(data)
            self._prolong(data)
        else:
            self._keep(data)

    def _prolong(self, data: bytes) -> None:
        cut = len(data) - _KEPT
        assert self._long is not None
        self._long.feed(data[:cut])
        self._pass(data[:cut])
        self._keep(data[cut:])

    def _end_long(self, data: bytes) -> Iterator[Piece]:
        assert self._long is not None
        self._long.feed(data)
        self._pass(data)
        yield self._long.finish(self._long_reason), self._count()
        self._long = None

    def _region(self, data: bytes, marks: list[Mark]) -> Iterator[Piece]:
        """What stands between marks, the last of which is followed by another, by the end, or by a new frame."""
        offset, line = self._offset, self._line
        messages, refused = self._spans.read(data, marks, offset, line)
        self._pass(data)
        if messages:
            starts = tuple(start + offset for start, _ in messages)
            lengths = tuple(end - start for start, end in messages)
            chunk = Chunk(self._uri, offset, line, data, ChunkKind.HL7V2, starts, lengths=lengths)
            yield chunk, self._count()
        for each in refused:
            yield each, self._count()

    def _keep(self, data: bytes) -> None:
        self._held, self._size = [data], len(data)
        # Twice as much each time, so that a long message is not searched again with every block.
        self._wanted = max(self._chunk_bytes, min(2 * self._size, self._limits.line_bytes + _KEPT + 1))
        if self._long is not None:
            self._wanted = self._size + 1

    def _count(self) -> int:
        """The lines since the last piece."""
        count, self._told = self._line - self._told, self._line
        return count

    def _pass(self, data: bytes) -> None:
        """Count the bytes that are given away."""
        self._offset += len(data)
        self._line += count_lines(data) - (self._after_return and data.startswith(b"\n"))
        self._after_return = data.endswith(b"\r") if data else self._after_return


class _Spans:
    """Tells what stands between marks; remembers the frame and the batch that it is in."""

    def __init__(self, uri: str, longest: int) -> None:
        self._uri = uri
        self._longest = longest
        self._framed = False  # inside a frame of one message
        self._batches = Batches()

    def read(
        self, data: bytes, marks: list[Mark], offset: int, line: int
    ) -> tuple[list[tuple[int, int]], list[OversizedLine]]:
        """The messages, as their begin and end in ``data``, and what is refused."""
        messages: list[tuple[int, int]] = []
        refused: list[OversizedLine] = []
        number_at = _line_numbers(data, line)

        def refuse(start: int, end: int, reason: Reason) -> None:
            refused.append(_refused(self._uri, data[start:end], offset + start, number_at(start), reason))

        def rubbish(start: int, end: int) -> None:
            if start < end and not is_blank(data[start:end]):
                kept = without_breaks(data[start:end])
                lead = len(kept) - len(kept.lstrip(b"\r\n"))
                refuse(start + lead, start + len(kept), Reason.NO_MESSAGE)

        rubbish(0, marks[0][0] if marks else len(data))
        for number, (start, name) in enumerate(marks):
            after = marks[number + 1] if number + 1 < len(marks) else (len(data), b"")
            end = after[0]
            if name == MESSAGE:
                self._batches.message()
                if end - start > self._longest:
                    refuse(start, end, Reason.LINE_TOO_LONG)
                elif self._framed and after[1] != END_BLOCK:
                    refuse(start, start + len(without_breaks(data[start:end])), Reason.MESSAGE_CUT)
                else:
                    messages.append((start, start + len(without_breaks(data[start:end]))))
            elif name in (START_BLOCK, END_BLOCK):
                self._framed = name == START_BLOCK
                rubbish(start + 1, end)
            else:
                # A frame may hold a whole batch: then its messages are not cut for want of an end of frame.
                self._framed = self._framed and name not in (FILE_HEADER, BATCH_HEADER)
                text = first_line(data[start:end])
                segment = BatchSegment(name, text, offset + start, number_at(start))
                refused += (_of_batch(self._uri, *fault) for fault in self._batches.meet(segment))
                rubbish(start + len(text), end)
        return messages, refused

    def skip(self, data: bytes) -> Reason:
        """Why bytes too long to be held, which begin with ``data``, are refused: they are a message, or none."""
        self._framed = self._framed or data.startswith(START_BLOCK)
        if not data.startswith(MESSAGE):
            return Reason.NO_MESSAGE
        self._batches.message()
        return Reason.LINE_TOO_LONG

    def end(self) -> list[OversizedLine]:
        """What the end of the bytes leaves open."""
        return [_of_batch(self._uri, *fault) for fault in self._batches.end()]


def _line_numbers(data: bytes, line: int) -> Callable[[int], int]:
    """Gives the number of the line at a place in ``data``; it must be asked in order."""
    known, number = 0, line

    def number_at(place: int) -> int:
        nonlocal known, number
        within_break = known > 0 and data[known - 1 : known + 1] == b"\r\n"
        number += count_lines(data[known:place]) - (within_break and place > known)
        known = max(known, place)
        return number

    return number_at


def _of_batch(uri: str, segment: BatchSegment, reason: Reason) -> OversizedLine:
    return _refused(uri, segment.text, segment.offset, segment.line, reason)


def _refused(uri: str, data: bytes, offset: int, line: int, reason: Reason) -> OversizedLine:
    return OversizedLine(uri, offset, line, data[:HEAD_BYTES], len(data), hashlib.sha256(data).digest(), reason)
