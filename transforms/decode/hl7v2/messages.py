"""HL7 v2 chunks as messages: their places, their texts, and the batches that can be taken apart together."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.reasons import Reason
from schemas.records import UNKNOWN_TYPE, Chunk
from transforms.decode.careful import Fault
from transforms.decode.hl7v2.charset import MismatchError, UnknownCharsetError, decoded
from transforms.decode.hl7v2.separators import Separators, separators_of

_SHORTEST = 8  # MSH, the field separator and four delimiters
_TYPE_FIELD = 9  # MSH-9


@dataclass(frozen=True, slots=True)
class Message:
    """A message as received: the chunk it came in, its place in the file, its type (``ORU_R01``)."""

    chunk: int
    offset: int
    line: int
    payload: bytes
    type: str = UNKNOWN_TYPE

    @property
    def sha256(self) -> bytes:
        """SHA-256 of the bytes as received, computed when it is asked for."""
        return hashlib.sha256(self.payload).digest()


@dataclass(slots=True)
class Messages:
    """All messages of some chunks in order. ``texts`` are those that can be taken apart, by their separators, with
    their numbers; their segments are ended by a carriage return each. ``refused``: number and fault of the others.
    ``mismatched``: numbers of those that name another character set than theirs.
    """

    all: list[Message] = field(default_factory=list)
    texts: dict[Separators, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))
    refused: list[tuple[int, Fault]] = field(default_factory=list)
    mismatched: list[int] = field(default_factory=list)


def messages_of(chunks: Sequence[Chunk], charset: str | None = None) -> Messages:
    """The messages of ``HL7V2`` chunks; ``charset`` is the codec of those that name none."""
    made = Messages()
    known: dict[str, Separators | None] = {}
    for number, chunk in enumerate(chunks):
        for message in _cut(chunk, number):
            _take(message, charset, known, made)
    return made


def _cut(chunk: Chunk, number: int) -> list[Message]:
    line, at, found = chunk.line, 0, []
    data = chunk.data
    for offset, length in zip(chunk.offsets or (), chunk.lengths or (), strict=True):
        begin = offset - chunk.offset
        between = data[at:begin]
        line += _breaks(between)
        payload = data[begin : begin + length]
        found.append(Message(number, offset, line, payload))
        line += _breaks(payload)
        at = begin + length
    return found


def _breaks(data: bytes) -> int:
    returns = data.count(b"\r")
    return returns + data.count(b"\n") - (data.count(b"\r\n") if returns else 0)


def _take(message: Message, charset: str | None, known: dict[str, Separators | None], made: Messages) -> None:
    number = len(made.all)
    try:
        text, mismatched = decoded(message.payload, charset)
    except (UnknownCharsetError, MismatchError) as error:
        reason = Reason.UNKNOWN_CHARSET if isinstance(error, UnknownCharsetError) else Reason.CHARSET_MISMATCH
        made.refused.append((number, Fault(reason, "MSH-18", reason.meaning)))
        made.all.append(message)
        return
    if mismatched:
        made.mismatched.append(number)
    if "\n" in text:
        text = text.replace("\r\n", "\r").replace("\n", "\r")
    header = text[: text.find("\r")] if "\r" in text else text
    mark = header[3:4]
    encoding = header[4:].split(mark, 1)[0] if mark else ""
    if mark + encoding not in known:
        known[mark + encoding] = separators_of(mark, encoding) if len(header) >= _SHORTEST else None
    separators = known[mark + encoding]
    if separators is None or len(header) < _SHORTEST:
        made.refused.append((number, Fault(Reason.MALFORMED_HEADER, "MSH", Reason.MALFORMED_HEADER.meaning)))
        made.all.append(message)
        return
    fields = header.split(mark, _TYPE_FIELD)
    kind = fields[_TYPE_FIELD - 1] if len(fields) >= _TYPE_FIELD else ""
    parts = kind.split(separators.component) if separators.component else [kind]
    named = "_".join(part for part in parts[:2] if part)
    made.all.append(Message(message.chunk, message.offset, message.line, message.payload, named or UNKNOWN_TYPE))
    made.texts[separators].append((number, text))
