"""MLLP frames out of a stream of bytes, however it is cut (HL7 Transport Specification: MLLP, Release 1, 3.1).

A frame is ``0B data 1C 0D``. What senders do otherwise:

- ``1C`` with ``0A``, the next ``0B`` or the end of the stream after it ends the frame as well: all data is there.
- ``1C`` with anything else after it is in the middle of data that may not hold it. Whether the message ended there
  cannot be told, so nothing of it is a message.
- ``0B`` within a frame begins another one: the first lost its end. The two are never joined.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

START, END, CR = b"\x0b", b"\x1c", b"\x0d"
HEAD_BYTES = 4096  # of a faulty frame, kept to answer it: an MSH segment is far shorter

_BLOCK = re.compile(rb"[\x0b\x1c]")
_LINE_ENDS = b"\r\n"
_STRAY_AFTER_END = frozenset(b"\r\n")


class FaultReason(StrEnum):
    """Why bytes are no message."""

    OUTSIDE = "outside"  # bytes between frames
    CUT_SHORT = "cut_short"  # another frame began before this one ended
    UNFINISHED = "unfinished"  # the stream ended within the frame
    TOO_LONG = "too_long"
    END_INSIDE = "end_inside"  # 1C in the middle of the data


@dataclass(frozen=True, slots=True)
class Frame:
    """The data of one frame, without its block characters."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """Bytes that are no message: the first of them, and how many there were.

    ``ended`` tells whether the frame came to its end, so that its sender now waits for an answer.
    """

    reason: FaultReason
    head: bytes
    length: int
    ended: bool = False


Event = Frame | Fault


def framed(data: bytes) -> bytes:
    """``data`` as one MLLP frame."""
    return START + data + END + CR


class Framer:
    """Takes bytes as they come and gives whole frames and faults in their order.

    Holds no more than ``limit`` bytes of a frame (or ``HEAD_BYTES``), and ``HEAD_BYTES`` of anything else.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._state: Callable[[bytes, int, list[Event]], int] = self._outside
        self._data = bytearray()  # the beginning of the frame, or of what is outside of frames
        self._length = 0
        self._wrong: FaultReason | None = None

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self._data)

    @property
    def in_frame(self) -> bool:
        """True from a frame's first byte until its end is sure."""
        return self._state != self._outside

    @property
    def maybe_ended(self) -> bool:
        """True when the last byte was a ``1C`` that most likely ends the frame: see :meth:`settle`."""
        return self._state == self._after_end

    def feed(self, data: bytes) -> list[Event]:
        """What has become complete with these bytes."""
        events: list[Event] = []
        position = 0
        while position < len(data):
            position = self._state(data, position, events)
        return events

    def settle(self) -> list[Event]:
        """The frame that a ``1C`` ended after which nothing comes: its sender leaves the ``0D`` out and waits."""
        events: list[Event] = []
        if self.maybe_ended:
            self._close(events)
        return events

    def finish(self) -> list[Event]:
        """What the end of the stream makes of the bytes held."""
        events = self.settle()
        if self.in_frame:
            self._fault(self._wrong or FaultReason.UNFINISHED, events)
        elif self._length:
            self._fault(FaultReason.OUTSIDE, events)
        self._state = self._outside
        return events

    def _outside(self, data: bytes, position: int, events: list[Event]) -> int:
        start = data.find(START, position)
        stop = len(data) if start < 0 else start
        if not self._length:  # line ends after a frame are common and harmless
            position += (stop - position) - len(data[position:stop].lstrip(_LINE_ENDS))
        self._take(data, position, stop, HEAD_BYTES)
        if start < 0:
            return stop
        if self._length:
            self._fault(FaultReason.OUTSIDE, events)
        self._state = self._inside
        return start + 1

    def _inside(self, data: bytes, position: int, events: list[Event]) -> int:
        found = _BLOCK.search(data, position)
        stop = found.start() if found else len(data)
        self._take(data, position, stop, HEAD_BYTES if self._wrong else max(self._limit, HEAD_BYTES))
        if self._length > self._limit:
            self._spoil(FaultReason.TOO_LONG)
        if found is None:
            return stop
        if found[0] == START:
            self._fault(self._wrong or FaultReason.CUT_SHORT, events)
        else:
            self._state = self._after_end
        return stop + 1

    def _after_end(self, data: bytes, position: int, events: list[Event]) -> int:
        byte = data[position]
        if byte in _STRAY_AFTER_END:
            self._close(events)
            return position + 1
        if byte == START[0]:
            self._close(events)
            self._state = self._inside
            return position + 1
        self._spoil(FaultReason.END_INSIDE)
        self._take(END, 0, 1, HEAD_BYTES)
        self._state = self._inside
        return position

    def _take(self, data: bytes, position: int, stop: int, room: int) -> None:
        """Count bytes, and keep what there is room for."""
        self._length += stop - position
        free = room - len(self._data)
        if free > 0:
            self._data += data[position : min(stop, position + free)]

    def _spoil(self, reason: FaultReason) -> None:
        """From here on only the frame's head is kept."""
        if self._wrong is None:
            self._wrong = reason
            self._data = self._data[:HEAD_BYTES]

    def _close(self, events: list[Event]) -> None:
        if self._wrong is not None:
            self._fault(self._wrong, events, ended=True)
        else:
            events.append(Frame(bytes(self._data)))
            self._begin()
        self._state = self._outside

    def _fault(self, reason: FaultReason, events: list[Event], *, ended: bool = False) -> None:
        events.append(Fault(reason, bytes(self._data[:HEAD_BYTES]), self._length, ended))
        self._begin()

    def _begin(self) -> None:
        self._data = bytearray()
        self._length = 0
        self._wrong = None
