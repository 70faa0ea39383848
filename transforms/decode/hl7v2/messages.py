"""HL7 v2 chunks as messages: their places, their texts, and the batches that can be taken apart together."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.notes import Note
from schemas.reasons import Reason
from schemas.records import Chunk
from schemas.routes import MessageDecoder, MshFields, Route, Routes
from transforms.decode.careful import Fault
from transforms.decode.hl7v2.charset import MismatchError, UnknownCharsetError, decoded, is_plain
from transforms.decode.hl7v2.headers import headers_of, type_of
from transforms.decode.hl7v2.separators import Separators
from transforms.route import msh_fields, route

_CARRIAGE_RETURN, _LINE_FEED = 13, 10


@dataclass(frozen=True, slots=True)
class Message:
    """A message as received: the chunk it came in, its place in the file, its type (``ORU_R01``)."""

    chunk: int
    offset: int
    line: int
    payload: bytes
    type: str

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


@dataclass(frozen=True, slots=True)
class Messages:
    """All messages of some chunks in order, by their number.

    ``chunk``     the chunk of each (UInt32), ``spans`` where it begins there and its length in bytes
    ``types``     their types (String)
    ``texts``     those that can be taken apart, by what they share: numbers (UInt32) and texts (String), whose segments
                  are ended by a carriage return each
    ``refused``   number and fault of the others
    ``notes``     number and note of those that seem to name another character set than theirs
    ``unrouted``  numbers of those that no rule takes
    """

    chunks: Sequence[Chunk]
    chunk: pl.Series
    spans: Sequence[tuple[int, int]]
    types: pl.Series
    texts: Mapping[Alike, tuple[pl.Series, pl.Series]]
    refused: Mapping[int, Fault]
    notes: Mapping[int, Note]
    unrouted: Sequence[int]
    _ends: dict[int, npt.NDArray[np.int64]] = field(default_factory=dict)  # of the lines of chunks that were asked for

    def message(self, number: int) -> Message:
        """A message by its number."""
        at, (start, length) = int(self.chunk[number]), self.spans[number]
        chunk = self.chunks[at]
        if at not in self._ends:
            self._ends[at] = _ends_of_lines(chunk.data)
        line = chunk.line + int(np.searchsorted(self._ends[at], start))
        return Message(at, chunk.offset + start, line, chunk.data[start : start + length], self.types[number])


def _ends_of_lines(data: bytes) -> npt.NDArray[np.int64]:
    """Where lines end: at a carriage return, or at a line feed that follows none."""
    octets = np.frombuffer(data, dtype=np.uint8)
    returns = octets == _CARRIAGE_RETURN
    feeds = octets == _LINE_FEED
    feeds[1:] &= ~returns[:-1]
    return np.flatnonzero(returns | feeds)


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
        taking.take(chunk, number)
    return taking.made(chunks)


_Read = tuple[str | None, bool]  # how a message is read: the zone of its times, and whether it is only kept


class _Taking:
    """Collects messages with their texts; only those that are not plain are looked at one by one."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._chunk: list[int] = []
        self._spans: list[tuple[int, int]] = []
        self._texts: list[str | None] = []
        self._reads: list[_Read] = []
        self._refused: dict[int, Fault] = {}
        self._types: dict[int, str] = {}  # of messages that are refused before they are read
        self._notes: dict[int, Note] = {}
        self._unrouted: list[int] = []
        self._routes: dict[MshFields, Route] = {}  # of the headers met

    def take(self, chunk: Chunk, number: int) -> None:
        """The messages of a chunk."""
        data = chunk.data
        starts = [offset - chunk.offset for offset in chunk.offsets or ()]
        spans = list(zip(starts, chunk.lengths or (), strict=True))
        if self._told.routes is None and is_plain(data, starts):
            text = data.decode("ascii")
            self._texts += [text[start : start + length] for start, length in spans]
            self._reads += [(self._told.zone, False)] * len(spans)
            self._spans += spans
        else:
            for start, length in spans:
                self._message((start, length), data[start : start + length])
        self._chunk += [number] * (len(self._texts) - len(self._chunk))

    def _message(self, span: tuple[int, int], payload: bytes) -> None:
        """One message, unless its rule gives it to another source."""
        told, routed, number = self._told, None, len(self._texts)
        if told.routes is not None:
            fields = msh_fields(payload)
            routed = self._routes.get(fields) or self._routes.setdefault(fields, route(fields, told.routes))
            if told.source not in (None, routed.source):
                return
            if routed.decoder is MessageDecoder.REJECT:
                self._types[number] = type_of(fields.message.split("^"))
        self._spans.append(span)
        self._texts.append(self._text(number, payload, routed))
        kept = routed is not None and routed.decoder is MessageDecoder.KEEP
        self._reads.append(((routed and routed.zone) or told.zone, kept))

    def _text(self, number: int, payload: bytes, routed: Route | None) -> str | None:
        """The text of a message; None when it is refused."""
        if routed is not None and routed.decoder is MessageDecoder.REJECT:
            self._refuse(number, Reason.REJECTED_BY_RULE, "MSH")
            return None
        try:
            text, note = decoded(payload, (routed and routed.charset) or self._told.charset)
        except (UnknownCharsetError, MismatchError) as error:
            unknown = isinstance(error, UnknownCharsetError)
            self._refuse(number, Reason.UNKNOWN_CHARSET if unknown else Reason.CHARSET_MISMATCH, "MSH-18")
            return None
        if note is not None:
            self._notes[number] = note
        if routed is not None and routed.rule is None:
            self._unrouted.append(number)
        return text

    def _refuse(self, number: int, reason: Reason, place: str) -> None:
        self._refused[number] = Fault(reason, place, reason.meaning)

    def made(self, chunks: Sequence[Chunk]) -> Messages:
        """All that was taken, with what the headers say."""
        texts = pl.Series("text", self._texts, dtype=pl.String)
        if texts.str.contains("\n", literal=True).any():
            texts = texts.str.replace_all("\r\n", "\r", literal=True).str.replace_all("\n", "\r", literal=True)
        headers, separators = headers_of(texts)
        for number in (headers["separators"].is_null() & texts.is_not_null()).arg_true():
            self._refuse(number, Reason.MALFORMED_HEADER, "MSH")
        ways = {read: way for way, read in enumerate(dict.fromkeys(self._reads))}
        way = pl.Series("way", [ways[read] for read in self._reads], dtype=pl.UInt32)
        frame = pl.DataFrame([texts, headers["separators"], way]).with_row_index("number").drop_nulls("separators")
        alike = {
            Alike(separators[marks], *list(ways)[of]): (some["number"], some["text"])
            for (marks, of), some in frame.partition_by("separators", "way", as_dict=True, maintain_order=True).items()
        }
        return Messages(
            chunks,
            pl.Series(self._chunk, dtype=pl.UInt32),
            self._spans,
            headers["type"].scatter(list(self._types), list(self._types.values())) if self._types else headers["type"],
            alike,
            dict(sorted(self._refused.items())),
            {number: note for number, note in self._notes.items() if number not in self._refused},
            [number for number in self._unrouted if number not in self._refused],
        )
