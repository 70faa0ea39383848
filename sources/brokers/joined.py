"""Many messages as few chunks: FHIR as the lines of one, HL7 v2 as one each, and which message a line came from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from schemas.reasons import Reason
from schemas.records import Chunk, OversizedLine
from sources.content import Content, content_of, is_messages
from sources.hl7v2.framing import split_messages
from sources.lines import BOM, count_line_feeds, split_lines
from sources.skeleton import BLANK, on_one_line
from sources.source import ReadLimits

_SHIFT = 40  # the offset of a line is the message's number, and below that the place in the message
_WITHIN = (1 << _SHIFT) - 1


@dataclass(frozen=True, slots=True)
class Payload:
    """A message's bytes; ``uri`` says where it came from, ``seen`` (UTC) when it was sent or received."""

    data: bytes
    uri: str
    seen: datetime


@dataclass(slots=True)
class Joined:
    """Messages as chunks.

    ``lines``    all FHIR, one chunk in which every line is a resource or a whole Bundle; None without any
    ``firsts``   of each message the number of its first line there
    ``hl7``      chunks of HL7 v2 messages
    ``records``  what is too long, or is no record
    ``blank``    numbers of the messages that hold nothing
    """

    lines: Chunk | None = None
    firsts: dict[int, int] = field(default_factory=dict)
    hl7: list[Chunk] = field(default_factory=list)
    records: list[OversizedLine] = field(default_factory=list)
    blank: list[int] = field(default_factory=list)

    def line_in_message(self, number: int, line: int) -> int:
        """The 1-based line of a message that is line ``line`` of the chunk :attr:`lines`."""
        return line - self.firsts.get(number, line) + 1


def message_of(offset: int) -> int:
    """The number of the message that the offset of a line, as chunks give it, lies in."""
    return offset >> _SHIFT


def place_in_message(offset: int) -> int:
    """The place in its message that an offset, as chunks give it, stands for."""
    return offset & _WITHIN


def undecodable(number: int, payload: Payload) -> OversizedLine:
    """A message that cannot be taken apart, whole."""
    sha256 = hashlib.sha256(payload.data).digest()
    return OversizedLine(payload.uri, number << _SHIFT, 1, payload.data, len(payload.data), sha256, Reason.UNDECODABLE)


def join_messages(payloads: Sequence[Payload], limits: ReadLimits, numbers: Sequence[int] | None = None) -> Joined:
    """The messages as chunks; ``numbers`` are theirs, by default from 0 on.

    A message is a FHIR resource or Bundle in JSON, NDJSON of them, or HL7 v2: one message, several one after another,
    or a batch. JSON over several lines is brought onto one, as it is of a file.
    """
    joined, parts, offsets, seen = Joined(), list[bytes](), list[int](), list[datetime]()
    for number, payload in zip(numbers or range(len(payloads)), payloads, strict=True):
        base, data = number << _SHIFT, payload.data
        if data[:1] == b"{" and b"\n" not in data and len(data) <= limits.line_bytes:
            pieces = [(data, base)]  # the usual: a resource on one line
        else:
            pieces = _pieces(joined, number, payload, limits)
        if pieces:
            joined.firsts[number] = len(offsets) + 1
        for text, offset in pieces:
            parts.append(text)
            offsets.append(offset)
            seen.append(payload.seen)
    if parts:
        parts.append(b"")
        joined.lines = Chunk("", 0, 1, b"\n".join(parts), offsets=tuple(offsets), seen_lines=tuple(seen))
    return joined


def _pieces(joined: Joined, number: int, payload: Payload, limits: ReadLimits) -> list[tuple[bytes, int]]:
    """The lines of a message that is FHIR, with their offsets; all else goes into ``joined``."""
    base, data = number << _SHIFT, payload.data.removeprefix(BOM)
    if not data.strip(BLANK):
        joined.blank.append(number)
        return []
    if is_messages("", [data]):
        for piece, _ in split_messages([data], payload.uri, limits, offset=base):
            if isinstance(piece, Chunk):
                joined.hl7.append(replace(piece, seen=payload.seen))
            else:
                joined.records.append(piece)
        return []
    if b"\n" in data and content_of("", [data], limits) is Content.DOCUMENT:
        data = on_one_line(data.strip(BLANK))
    found: list[tuple[bytes, int]] = []
    for piece, _ in split_lines([data], payload.uri, limits, offset=base):
        if isinstance(piece, OversizedLine):
            joined.records.append(piece)
            continue
        at = piece.offset
        for line in piece.data.split(b"\n")[: count_line_feeds(piece.data)]:
            found.append((line, at))
            at += len(line) + 1
    return found
