"""Consumes a broker: receive, stage and commit side by side, and acknowledge what is committed.

Three batches are under way at most: one is received while another is staged in a process of its own and a third is
committed. When the mart is slow the broker is told to wait.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from flows.consume_report import ConsumeReport
from flows.consume_retry import until_done
from flows.consume_stage import StagedBatch
from flows.drain import Drain
from schemas.consumed import Consumed, Place
from schemas.errors import TryAgainError, UsageError
from sources.brokers.broker import Broker, Delivery
from sources.brokers.joined import Payload
from sources.pace import Deadline, Pace, PaceLimits, PassingError

_LOG = logging.getLogger(__name__)
_UNDER_WAY = 3  # batches
_LOOK_UP = 0.25  # seconds after which an empty receive looks whether it should end
_PAUSE_AFTER = 1.0  # seconds that the mart may keep a batch waiting before the broker is told
_LAG_EVERY = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class ConsumeLimits:
    """When a batch is full, and how long is waited for what.

    ``seconds``    that the first message of a batch waits for others
    ``patience``   seconds that a broker may be away
    ``idle``       seconds without a message after which the consumer ends; None: never
    """

    messages: int = 5_000
    bytes: int = 16 * 1024 * 1024
    seconds: float = 1.0
    patience: float = 900.0
    idle: float | None = None

    def __post_init__(self) -> None:
        if self.messages < 1 or self.bytes < 1 or self.seconds < 0 or self.patience < 0:
            raise UsageError("a batch takes at least one message of one byte, and no time is below 0")

    @property
    def under_way(self) -> int:
        """Messages that are received and not acknowledged, at most."""
        return _UNDER_WAY * self.messages


class Stager(Protocol):
    """See :class:`flows.consume_stage.BatchStager`."""

    def stage(self, payloads: Sequence[Payload], as_of: datetime) -> StagedBatch:
        """The messages, staged."""
        ...


class Committer(Protocol):
    """See :class:`flows.consume_mart.ConsumeCommitter`."""

    def commit(self, batch: StagedBatch, consumed: Sequence[Consumed], size: int) -> None:
        """Bring a batch in."""
        ...

    def release(self) -> None:
        """Give the mart free."""
        ...


@dataclass(slots=True)
class _Batch:
    deliveries: list[Delivery] = field(default_factory=list)
    size: int = 0
    since: float = 0.0
    received_at: datetime = datetime.min


_Staged = tuple[_Batch, StagedBatch]


class Consumption:
    """One run. ``known`` is how far the mart is where messages are numbered; it moves on with each commit."""

    def __init__(
        self,
        broker: Broker,
        stager: Stager,
        committer: Committer,
        limits: ConsumeLimits,
        report: ConsumeReport,
        drain: Drain,
        known: dict[Place, int] | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._broker = broker
        self._stager = stager
        self._committer = committer
        self._limits = limits
        self._report = report
        self._drain = drain
        self._known = known if known is not None else {}
        self._pace = pace
        self._lag: dict[Place, int] = {}
        self._lag_at = -_LAG_EVERY

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Consume until it is drained or idle; ``ready`` is called once it is connected.

        Raises TryAgainError when the broker is away for too long, and what the mart raises for too long.
        """
        self._asked = asyncio.Event()
        loop = asyncio.get_running_loop()

        def leave() -> None:
            if not loop.is_closed():  # a signal may come when all is done
                loop.call_soon_threadsafe(self._asked.set)

        self._drain.when_asked(leave)
        self._pace = self._pace or Pace(PaceLimits(concurrency=1))
        self._places = asyncio.Semaphore(_UNDER_WAY)
        self._received: asyncio.Queue[_Batch | None] = asyncio.Queue()
        self._staged: asyncio.Queue[_Staged | None] = asyncio.Queue()
        # Threads of our own: those of the loop may all be waiting for a mart.
        with ThreadPoolExecutor(2, thread_name_prefix="clinmart-consume") as self._pool:
            try:
                if await self._connected():
                    ready()
                    await _side_by_side(self._receive_all(), self._stage_all(), self._commit_all())
            finally:
                await self._broker.close()

    async def _receive_all(self) -> None:
        quiet = time.monotonic()
        while not self._drain.asked:
            await self._place()
            batch = await self._gather()
            if batch.deliveries:
                quiet = time.monotonic()
                self._received.put_nowait(batch)
                continue
            self._places.release()
            if self._limits.idle is not None and time.monotonic() - quiet >= self._limits.idle:
                break
        self._received.put_nowait(None)

    async def _place(self) -> None:
        """Wait until another batch may be under way; the broker is told when that takes long."""
        try:
            await asyncio.wait_for(self._places.acquire(), _PAUSE_AFTER)
        except TimeoutError:
            await self._tell(self._broker.pause)
            self._report.pauses += 1
            await self._places.acquire()
            await self._tell(self._broker.resume)

    async def _tell(self, what: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await what()
        except PassingError:
            return  # that the connection is gone is found by the next receive

    async def _gather(self) -> _Batch:
        """The next messages, as many as are enough or as came in time."""
        batch = _Batch()
        while len(batch.deliveries) < self._limits.messages and batch.size < self._limits.bytes:
            left = batch.since + self._limits.seconds - time.monotonic() if batch.deliveries else _LOOK_UP
            if left <= 0 or self._drain.asked:
                break
            try:
                came = await self._broker.receive(self._limits.messages - len(batch.deliveries), min(left, _LOOK_UP))
            except PassingError as error:
                _LOG.warning("%s; what was received and not acknowledged comes again", error)
                if not await self._connected():
                    break
                continue
            if not came:
                if not batch.deliveries:
                    break
                continue
            if not batch.deliveries:
                batch.since, batch.received_at = time.monotonic(), datetime.now(UTC)
            batch.deliveries += came
            batch.size += sum(len(one.data) for one in came)
        return batch

    async def _connected(self) -> bool:
        """Connect, as often as need be; False when it was drained meanwhile."""
        assert self._pace is not None
        deadline = Deadline.after(self._limits.patience, self._pace.clock)
        asked = asyncio.ensure_future(self._asked.wait())
        try:
            while not self._asked.is_set():
                opening = asyncio.ensure_future(self._pace.call(self._broker.open))
                await asyncio.wait((opening, asked), return_when=asyncio.FIRST_COMPLETED)
                if not opening.done():
                    opening.cancel()
                    await asyncio.gather(opening, return_exceptions=True)
                    break
                try:
                    await opening
                except TryAgainError as error:
                    if not deadline.left():
                        raise
                    _LOG.warning("%s", error)
                    continue
                self._report.connections += 1
                return True
        finally:
            asked.cancel()
        return False

    async def _stage_all(self) -> None:
        while (batch := await self._received.get()) is not None:
            held = [one for one in batch.deliveries if self._broker.held(one)]
            self._count(batch.deliveries, held)
            if not held:
                self._places.release()
                continue
            batch.deliveries = held
            payloads = [Payload(one.data, one.place.uri, one.sent_at or batch.received_at) for one in held]
            staged = await until_done(self._pool, partial(self._stager.stage, payloads, batch.received_at), "staged")
            self._staged.put_nowait((batch, staged))
        self._staged.put_nowait(None)

    def _count(self, received: Sequence[Delivery], held: Sequence[Delivery]) -> None:
        self._report.received += len(received)
        self._report.fenced += len(received) - len(held)
        self._report.again += sum(
            one.again or (one.position is not None and one.position < self._known.get(one.place, 0)) for one in held
        )

    async def _commit_all(self) -> None:
        while (both := await self._staged.get()) is not None:
            batch, staged = both
            consumed = await self._consumed(batch)
            size = sum(len(one.data) for one in batch.deliveries)
            await until_done(self._pool, partial(self._committer.commit, staged, consumed, size), "committed")
            for one in consumed:
                if one.position is not None:
                    self._known[one.place] = max(one.position, self._known.get(one.place, 0))
            self._report.batches += 1
            self._report.blank += len(staged.blank)
            self._report.refused += len(staged.refused)
            await self._settle(batch, staged)
            if self._staged.empty() and self._places.locked() is False:
                await asyncio.get_running_loop().run_in_executor(self._pool, self._committer.release)
            self._places.release()

    async def _settle(self, batch: _Batch, staged: StagedBatch) -> None:
        """Tell the broker; what it cannot be told comes again, and is then found to be in the mart."""
        done = 0
        try:
            for number, reason in sorted(staged.refused.items()):
                self._report.dead_lettered += await self._broker.refuse(batch.deliveries[number], reason)
            done = await self._broker.acknowledge(batch.deliveries)
        except PassingError as error:
            _LOG.warning("%s: %d messages that are in the mart were not acknowledged", error, len(batch.deliveries))
        self._report.acknowledged += done
        self._report.fenced += len(batch.deliveries) - done

    async def _consumed(self, batch: _Batch) -> list[Consumed]:
        """How far each place is with this batch."""
        if time.monotonic() - self._lag_at >= _LAG_EVERY:
            try:
                self._lag = dict(await self._broker.lag())
            except PassingError:
                self._lag = {}
            self._lag_at = time.monotonic()
            self._report.lag = {place.uri: waiting for place, waiting in self._lag.items()}
        messages = Counter(one.place for one in batch.deliveries)
        reached: dict[Place, int] = {}
        for one in batch.deliveries:
            if one.position is not None:
                reached[one.place] = max(one.position + 1, reached.get(one.place, 0))
        return [Consumed(place, n, reached.get(place), self._lag.get(place)) for place, n in messages.items()]


async def _side_by_side(*work: Coroutine[Any, Any, None]) -> None:
    """All at once; when one fails the others are left off, and its error is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
