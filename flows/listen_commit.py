"""Group commit: many messages, one transaction. While one batch is committed the next one gathers."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from schemas.errors import ClinmartError, UsageError
from transforms.acknowledge.conditions import Problem

_LOG = logging.getLogger(__name__)
_LATELY = 4  # batches by which the next one is judged


@dataclass(frozen=True, slots=True)
class Message:
    """A message as received, and what names it: ``key`` is sending application, facility and control id (MSH-3, 4, 10).

    ``sha256`` is of ``data``; ``received_at`` is in UTC.
    """

    data: bytes
    key: tuple[str, str, str]
    sha256: bytes
    received_at: datetime


class Taken(StrEnum):
    """What a committer did with a message; all but the last two are durable."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"  # was taken in before
    QUARANTINED = "quarantined"
    CONFLICT = "conflict"  # another message has its key; nothing was kept
    REJECTED = "rejected"  # no rule says where it belongs; nothing was kept


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message, and why it was not simply taken; for a duplicate, why it was not at first."""

    taken: Taken
    problem: Problem | None = None


class Committer(Protocol):
    """Brings messages into the mart. Each method is called from one thread at a time; both may be at work at once, for
    different messages.
    """

    def doubts(self, data: bytes) -> bool:
        """True when a message must be checked before it is answered; quick, for it is asked of every one."""
        ...

    def commit(self, batch: Sequence[Message]) -> Sequence[Outcome]:
        """The outcome of each message, all durable in one transaction when this returns.

        Raises ClinmartError when nothing of the batch is in the mart: LockedError, StorageError or TryAgainError.
        """
        ...

    def check_and_commit(self, batch: Sequence[Message]) -> Sequence[Outcome]:
        """As :meth:`commit`, after the messages were checked: what is refused is kept as such."""
        ...


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """When a batch is full, and how many seconds its first message waits for others."""

    messages: int = 2000
    bytes: int = 16 * 1024 * 1024
    seconds: float = 0.01

    def __post_init__(self) -> None:
        if self.messages < 1 or self.bytes < 1 or self.seconds < 0:
            raise UsageError("a batch takes at least one message of one byte, and no time is below 0")


class GroupCommit:
    """Gathers messages into batches and has them committed, one batch after another."""

    def __init__(self, commit: Callable[[Sequence[Message]], Sequence[Outcome]], limits: BatchLimits) -> None:
        self._committed = commit
        self._limits = limits
        self._queue: list[tuple[Message, asyncio.Future[Outcome]]] = []
        self._queued = 0  # bytes
        self._came = asyncio.Event()
        self._full = asyncio.Event()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="clinmart-commit")
        self._closing = False
        self._lately: deque[int] = deque([limits.messages], maxlen=_LATELY)  # messages of the last batches
        self._work = asyncio.get_running_loop().create_task(self._run())
        self.batches = 0

    async def submit(self, message: Message) -> Outcome:
        """What became of the message, once that is durable. Raises what the committer raised."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._queue.append((message, future))
        self._queued += len(message.data)
        self._came.set()
        if self._is_enough():
            self._full.set()
        return await future

    async def close(self) -> None:
        """Commit what is queued, and end."""
        self._closing = True
        self._came.set()
        self._full.set()
        await self._work
        self._pool.shutdown()

    def _is_enough(self) -> bool:
        """True when a batch is full, or when as many have come as came lately: senders that wait for their answers send
        no more.
        """
        return len(self._queue) >= max(self._lately) or self._queued >= self._limits.bytes

    async def _run(self) -> None:
        while True:
            await self._came.wait()
            if not self._queue:
                if self._closing:
                    return
                self._came.clear()
                continue
            if not self._is_enough() and not self._closing:
                await self._gather()
            await self._commit(self._next())

    async def _gather(self) -> None:
        """Give others the time to come, which makes a commit of theirs needless."""
        self._full.clear()
        try:
            await asyncio.wait_for(self._full.wait(), self._limits.seconds)
        except TimeoutError:
            return

    def _next(self) -> list[tuple[Message, asyncio.Future[Outcome]]]:
        size = count = 0
        for message, _ in self._queue:
            if count == self._limits.messages or (count and size + len(message.data) > self._limits.bytes):
                break
            size += len(message.data)
            count += 1
        batch, self._queue = self._queue[:count], self._queue[count:]
        self._queued -= size
        self._lately.append(count)
        return batch

    async def _commit(self, batch: list[tuple[Message, asyncio.Future[Outcome]]]) -> None:
        messages = [message for message, _ in batch]
        self.batches += 1
        try:
            outcomes = await asyncio.get_running_loop().run_in_executor(self._pool, self._committed, messages)
            pairs = list(zip(batch, outcomes, strict=True))
        except Exception as error:  # noqa: BLE001 # whatever it is: it goes to every message, and none is acknowledged
            # Only our own errors are known to hold no values.
            said = str(error) if isinstance(error, ClinmartError) else f"internal error {type(error).__name__}"
            _LOG.error("%d messages were not taken: %s", len(batch), said)
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), outcome in pairs:
            if not future.done():
                future.set_result(outcome)


class Lanes:
    """Two group commits side by side: messages that are to be checked first hold up none of the others."""

    def __init__(self, committer: Committer, limits: BatchLimits) -> None:
        self._committer = committer
        self._straight = GroupCommit(committer.commit, limits)
        self._checked = GroupCommit(committer.check_and_commit, limits)
        self.checked = 0  # messages that were checked before they were answered

    @property
    def batches(self) -> int:
        """Batches of both."""
        return self._straight.batches + self._checked.batches

    async def submit(self, message: Message) -> Outcome:
        """See :meth:`GroupCommit.submit`."""
        if not self._committer.doubts(message.data):
            return await self._straight.submit(message)
        self.checked += 1
        return await self._checked.submit(message)

    async def close(self) -> None:
        """Commit what is queued, and end."""
        await self._straight.close()
        await self._checked.close()
