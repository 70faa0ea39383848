"""HL7 v2 chunks as messages: their places, their texts, and the batches that can be taken apart together."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from schemas.notes import Note
from schemas.reasons import Reason
from schemas.records import UNKNOWN_TYPE, Chunk
from schemas.routes import MessageDecoder, MshFields, Route, Routes
from transforms.decode.careful import Fault
from transforms.decode.hl7v2.charset import MismatchError, UnknownCharsetError, decoded
from transforms.decode.hl7v2.separators import Separators, separators_of
from transforms.route import msh_fields, route

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


@dataclass(frozen=True, slots=True)
class Alike:
    """What messages that are taken apart together share: their separators, the zone of their times, and whether rows
    are made of them or they are only kept.
    """

    separators: Separators
    zone: str | None = None
    kept: bool = False


@dataclass(slots=True)
class Messages:
    """All messages of some chunks in order. ``texts`` are those that can be taken apart, by what they share, with
    their numbers; their segments are ended by a carriage return each. ``refused``: number and fault of the others.
    ``notes``: number and note of those that seem to name another character set than theirs; ``unrouted``: numbers of
    those that no rule takes.
    """

    all: list[Message] = field(default_factory=list)
    texts: dict[Alike, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))
    refused: list[tuple[int, Fault]] = field(default_factory=list)
    notes: list[tuple[int, Note]] = field(default_factory=list)
    unrouted: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of messages that do not say it themselves: the codec of their texts, the IANA zone of their times,
    and by ``routes`` what becomes of each; then only those of ``source`` are taken (None: all).
    """

    charset: str | None = None
    zone: str | None = None
    routes: Routes | None = None
    source: str | None = None


_NOTHING = Told()


def messages_of(chunks: Sequence[Chunk], told: Told = _NOTHING) -> Messages:
    """The messages of ``HL7V2`` chunks."""
    taking = _Taking(told)
    for number, chunk in enumerate(chunks):
        for message in _cut(chunk, number):
            taking.take(message)
    return taking.made


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


class _Taking:
    def __init__(self, told: Told) -> None:
        self.made = Messages()
        self._told = told
        self._separators: dict[str, Separators | None] = {}
        self._routes: dict[MshFields, Route] = {}  # of the headers met

    def take(self, message: Message) -> None:
        """Add a message, unless its rule gives it to another source."""
        told, routed = self._told, None
        if told.routes is not None:
            fields = msh_fields(message.payload)
            routed = self._routes.get(fields) or self._routes.setdefault(fields, route(fields, told.routes))
            if told.source not in (None, routed.source):
                return
            if routed.decoder is MessageDecoder.REJECT:
                self._refuse(replace(message, type=_named(fields.message.split("^"))), Reason.REJECTED_BY_RULE, "MSH")
                return
        charset = (routed and routed.charset) or told.charset
        try:
            text, note = decoded(message.payload, charset)
        except UnknownCharsetError:
            self._refuse(message, Reason.UNKNOWN_CHARSET, "MSH-18")
            return
        except MismatchError:
            self._refuse(message, Reason.CHARSET_MISMATCH, "MSH-18")
            return
        number = len(self.made.all)
        if self._text(message, text, routed):
            if note is not None:
                self.made.notes.append((number, note))
            if routed is not None and routed.rule is None:
                self.made.unrouted.append(number)

    def _text(self, message: Message, text: str, routed: Route | None) -> bool:
        """Add a message by its text; False when it is refused."""
        if "\n" in text:
            text = text.replace("\r\n", "\r").replace("\n", "\r")
        header = text[: text.find("\r")] if "\r" in text else text
        mark = header[3:4]
        encoding = header[4:].split(mark, 1)[0] if mark else ""
        if mark + encoding not in self._separators:
            self._separators[mark + encoding] = separators_of(mark, encoding) if len(header) >= _SHORTEST else None
        separators = self._separators[mark + encoding]
        if separators is None or len(header) < _SHORTEST:
            self._refuse(message, Reason.MALFORMED_HEADER, "MSH")
            return False
        fields = header.split(mark, _TYPE_FIELD)
        kind = fields[_TYPE_FIELD - 1] if len(fields) >= _TYPE_FIELD else ""
        parts = kind.split(separators.component) if separators.component else [kind]
        zone = (routed and routed.zone) or self._told.zone
        kept = routed is not None and routed.decoder is MessageDecoder.KEEP
        self.made.texts[Alike(separators, zone, kept)].append((len(self.made.all), text))
        self.made.all.append(replace(message, type=_named(parts)))
        return True

    def _refuse(self, message: Message, reason: Reason, place: str) -> None:
        self.made.refused.append((len(self.made.all), Fault(reason, place, reason.meaning)))
        self.made.all.append(message)


def _named(parts: Sequence[str]) -> str:
    """The type of a message by the components of its MSH-9."""
    return "_".join(part for part in parts[:2] if part) or UNKNOWN_TYPE
