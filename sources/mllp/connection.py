"""One connection: frames in, answers out in the order of their frames, and the limits of both."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Protocol, cast

from sources.mllp.framer import Event, Fault, Frame, Framer, framed
from sources.mllp.limits import MllpLimits

_LOG = logging.getLogger(__name__)
# Seconds of silence after a 1C that show that its sender leaves the 0D out and waits: far above what separates the two
# bytes in a network, far below what a sender waits for.
_SILENCE = 0.25
_PIECE = 4096  # bytes looked at before the limits are: a sender of tiny frames cannot have made more of them
_OVERHEAD = 2048  # bytes that a waiting message takes besides its data


class Receiver(Protocol):
    """Takes what connections bring."""

    async def receive(self, event: Event, peer: str) -> Sequence[bytes]:
        """The answers to a frame, or to a fault that came to its end, without block characters; sent at once.

        When it raises, the connection is closed without an answer, so that its sender sends the message again.
        """
        ...

    def dropped(self, fault: Fault, peer: str) -> None:
        """Bytes that nobody waits for an answer to."""
        ...


class House(Protocol):
    """What the connections of a server share."""

    limits: MllpLimits
    receiver: Receiver
    full: bool  # so much waits for answers that nothing more may be read

    def came(self, connection: Connection) -> bool:
        """Whether there is room for a connection, which is then secured (TLS); :meth:`Connection.begin` follows."""
        ...

    def left(self, connection: Connection) -> None:
        """A connection has ended."""
        ...

    def holds(self, more: int) -> None:
        """So many bytes more are held in incomplete frames."""
        ...

    def waits(self, more: int) -> None:
        """So many bytes more wait for their answer."""
        ...


class Connection(asyncio.Protocol):
    """The server's side of one connection."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._framer = Framer(house.limits.frame_bytes)
        self._loop = asyncio.get_running_loop()
        self._unread = b""  # was received, but waits until more may be read
        self._held = 0
        self._answers: deque[tuple[asyncio.Task[Sequence[bytes]], int]] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._silence: asyncio.TimerHandle | None = None
        self._reading = True
        self._ended = False  # the sender sends no more
        self._leaving = False  # when all is answered
        self.lost = False
        self.messages = 0
        self.since = self._loop.time()  # of the last message or its answer
        self.frame_since: float | None = None
        self._stuck_since: float | None = None  # the sender does not take its answers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Enter the house, or be turned away."""
        self.transport = cast(asyncio.Transport, transport)
        name = transport.get_extra_info("peername")
        self.peer = str(name[0]) if name else "?"
        if not self._house.came(self):
            self.transport.abort()

    def begin(self, transport: asyncio.Transport) -> None:
        """Go on with the secured transport."""
        self.transport = transport
        self.go_on()

    def data_received(self, data: bytes) -> None:
        """Hand on what has become complete."""
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None
        self._unread += data
        self.go_on()

    def eof_received(self) -> bool | None:
        """Answer what is there, if the sender has closed only its own side."""
        self._ended = True
        self.go_on()
        # TLS knows no half-closed connection (and asyncio warns of an attempt).
        return bool(self._answers) and self.transport.get_extra_info("sslcontext") is None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 # how it ended does not matter
        """What is complete is still taken in; its answers have nobody to go to."""
        self.lost = True
        self._writable.set()
        if self._silence is not None:
            self._silence.cancel()
        self._unread = b""
        self._take(self._framer.finish())
        self._house.left(self)

    def pause_writing(self) -> None:
        """The sender does not take its answers."""
        self._stuck_since = self._loop.time()
        self._writable.clear()

    def resume_writing(self) -> None:
        """It does again."""
        self._stuck_since = None
        self._writable.set()

    @property
    def waiting(self) -> int:
        """Messages that wait for their answer."""
        return len(self._answers)

    def overdue(self, now: float) -> str | None:
        """Which of its times has run out; None for none."""
        limits = self._house.limits
        if self.frame_since is not None and now - self.frame_since > limits.frame_seconds:
            return "frame"
        if self._stuck_since is not None and now - self._stuck_since > limits.frame_seconds:
            return "unread"
        if self.frame_since is None and not self._answers and now - self.since > limits.idle_seconds:
            return "idle"
        return None

    def drain(self) -> None:
        """Read no more, answer what is there, and close."""
        self._leaving = True
        self._settle()
        self.go_on()
        if not self._answers:
            self.transport.close()

    def go_on(self) -> None:
        """Read on as far as what waits for its answer allows."""
        while self._unread and self._may_read():
            piece, self._unread = self._unread[:_PIECE], self._unread[_PIECE:]
            self._take(self._framer.feed(piece))
        if self._ended and not self._unread:
            self._leaving = True
            self._take(self._framer.finish())
        elif self._framer.maybe_ended and not self._unread and self._silence is None:
            self._silence = self._loop.call_later(_SILENCE, self._settle)
        may = self._may_read() and not self._unread
        if not may:
            self.frame_since = None  # that it does not go on is not the sender's doing
        if self.lost or may == self._reading or self.transport.is_closing():
            return
        self._reading = may
        if may:
            self.transport.resume_reading()
            self.frame_since = self._loop.time() if self._framer.in_frame else None
        else:
            self.transport.pause_reading()

    def _may_read(self) -> bool:
        return not (self._leaving or self._house.full or len(self._answers) >= self._house.limits.waiting)

    def _settle(self) -> None:
        self._silence = None
        self._take(self._framer.settle())

    def _take(self, events: Sequence[Event]) -> None:
        now = self._loop.time()
        for event in events:
            self._begin_answer(event)
        if not self._framer.in_frame:
            self.frame_since = None
        elif events or self.frame_since is None:
            self.frame_since = now
        if self._answers and self._writer is None:
            self._writer = self._loop.create_task(self._write())
        grown, self._held = self._framer.held - self._held, self._framer.held
        self._house.holds(grown)

    def _begin_answer(self, event: Event) -> None:
        if isinstance(event, Fault) and not event.ended:
            self._house.receiver.dropped(event, self.peer)
            return
        data = event.data if isinstance(event, Frame) else event.head
        if not data.strip():
            return  # some senders keep a connection alive by empty frames, and wait for nothing
        self.since = self._loop.time()
        self.messages += isinstance(event, Frame)
        size = len(data) + _OVERHEAD
        self._house.waits(size)
        self._answers.append((self._loop.create_task(self._house.receiver.receive(event, self.peer)), size))

    async def _write(self) -> None:
        """Send answers in the order of their messages, until none is waited for."""
        while self._answers:
            answer, size = self._answers[0]
            try:
                sent = await answer
            except Exception as error:  # noqa: BLE001 # whatever it is, the message is not acknowledged
                _LOG.error("a message was not taken: %s", type(error).__name__)  # its text may hold values
                self.transport.abort()
                sent = ()
            if sent and not self.lost:
                self.transport.write(b"".join(framed(one) for one in sent))
                await self._writable.wait()
            self._answers.popleft()
            self.since = self._loop.time()
            self._house.waits(-size)
            self.go_on()
        self._writer = None
        if self._leaving and not self.lost:
            self.transport.close()
