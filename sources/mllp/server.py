"""The MLLP server: many connections within limits, with or without TLS, and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections import Counter
from dataclasses import dataclass, field

from schemas.errors import UsageError
from sources.mllp.connection import Connection, Receiver
from sources.mllp.limits import MllpLimits

_LOG = logging.getLogger(__name__)
_BACKLOG = 512  # connections that the system keeps until they are accepted
_LOOKS_PER_TIMEOUT = 4
_COMING_IN = 0.05  # seconds for connections that were just accepted to come in, to be turned away


@dataclass(slots=True)
class ConnectionCounts:
    """What became of connections."""

    accepted: int = 0
    refused: int = 0  # all places were taken by connections that were being served
    ended: Counter[str] = field(default_factory=Counter)  # by us: frame, unread, idle, silent, memory, handshake


class MllpServer:
    """Serves ``receiver``; use :meth:`start`, then :meth:`drain`."""

    def __init__(self, receiver: Receiver, limits: MllpLimits, tls: ssl.SSLContext | None = None) -> None:
        self.receiver = receiver
        self.limits = limits
        self.counts = ConnectionCounts()
        self.full = False
        self._tls = tls
        self._connections: set[Connection] = set()
        self._securing: set[asyncio.Task[None]] = set()
        self._empty = asyncio.Event()
        self._held = self._waiting = 0
        self._draining = False
        self._server: asyncio.Server | None = None
        self._watch: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; the port, which the system chooses where ``port`` is 0. UsageError when the address cannot be had."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: Connection(self), host, port, backlog=_BACKLOG)
        except (OSError, OverflowError) as error:
            why = (isinstance(error, OSError) and error.strerror) or "no such port"
            raise UsageError(f"cannot listen on {host} port {port}: {why}") from None
        self._watch = loop.create_task(self._look_at_times())
        return int(self._server.sockets[0].getsockname()[1])

    async def drain(self) -> None:
        """Accept and read no more, answer what was read whole, close; returns when all connections have ended."""
        self._draining = True
        if self._server is not None:
            # A server that is closed while connections come in leaks them (Python 3.11), so it first stops to accept.
            for listening in self._server.sockets:
                asyncio.get_running_loop().remove_reader(listening.fileno())
            await asyncio.sleep(_COMING_IN)
            self._server.close()
        for task in tuple(self._securing):
            task.cancel()
        for connection in tuple(self._connections):
            connection.drain()
        if self._connections:
            self._empty.clear()
            await self._empty.wait()
        await asyncio.sleep(0)  # the last of them is told so
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch

    def came(self, connection: Connection) -> bool:
        """Give a connection a place, if need be that of the longest silent one."""
        if self._draining:
            return False
        if len(self._connections) >= self.limits.connections and not self._evict():
            self.counts.refused += 1
            return False
        self.counts.accepted += 1
        self._connections.add(connection)
        if self._tls is not None:
            task = asyncio.get_running_loop().create_task(self._secure(connection, self._tls))
            self._securing.add(task)
            task.add_done_callback(self._securing.discard)
        return True

    def left(self, connection: Connection) -> None:
        """Give the place free."""
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()

    def holds(self, more: int) -> None:
        """Count bytes of incomplete frames; when there are too many, give up the frame that began first."""
        self._held += more
        if more > 0 and self._held > self.limits.held_bytes:
            began = ((c.frame_since, c) for c in self._connections if c.frame_since is not None)
            _, oldest = min(began, key=lambda pair: pair[0], default=(None, None))
            if oldest is not None:
                self._end(oldest, "memory")

    def waits(self, more: int) -> None:
        """Count bytes that wait for answers; above the limit nobody is read, below half of it all are again."""
        self._waiting += more
        if not self.full and self._waiting > self.limits.waiting_bytes:
            self.full = True
        elif self.full and self._waiting <= self.limits.waiting_bytes // 2:
            self.full = False
            for connection in tuple(self._connections):
                connection.go_on()

    async def _secure(self, connection: Connection, tls: ssl.SSLContext) -> None:
        """TLS before anything else. The connection counts from its first packet on, not only when it is secured."""
        plain = connection.transport
        try:
            made = await asyncio.get_running_loop().start_tls(
                plain, connection, tls, server_side=True, ssl_handshake_timeout=self.limits.frame_seconds
            )
        except (OSError, asyncio.CancelledError):  # ssl.SSLError is an OSError; so is a time-out
            made = None
        if made is None:
            plain.abort()
            self.counts.ended["handshake"] += 1
            connection.lost = True
            self.left(connection)
        else:
            connection.begin(made)

    def _evict(self) -> bool:
        """End a connection that waits for nothing: rather one that never sent a message, then the longest silent."""
        idle = [c for c in self._connections if not c.waiting]
        if not idle:
            return False
        self._end(min(idle, key=lambda c: (c.messages > 0, c.since)), "silent")
        return True

    def _end(self, connection: Connection, why: str) -> None:
        self.counts.ended[why] += 1
        connection.transport.abort()
        self._connections.discard(connection)  # at once, for others that come before the loop tells it

    async def _look_at_times(self) -> None:
        """End connections whose time has run out; one look at all of them is cheaper than a timer for each."""
        shortest = min(self.limits.frame_seconds, self.limits.idle_seconds)
        while True:
            await asyncio.sleep(min(1.0, shortest / _LOOKS_PER_TIMEOUT))
            now = asyncio.get_running_loop().time()
            for connection in tuple(self._connections):
                why = connection.overdue(now)
                if why is not None:
                    self._end(connection, why)
