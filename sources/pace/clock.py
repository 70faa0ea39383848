"""A clock that never goes back, and deadlines on it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from schemas.errors import TryAgainError


@dataclass(frozen=True, slots=True)
class Clock:
    """What time is and how it is waited for; both in seconds. Tests give one of their own."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time on a clock that setting the computer's time does not move."""

    clock: Clock = field(default_factory=Clock)
    at: float = math.inf

    @classmethod
    def after(cls, seconds: float, clock: Clock | None = None) -> Deadline:
        """The deadline ``seconds`` from now."""
        clock = clock or Clock()
        return cls(clock, clock.now() + seconds)

    def left(self) -> float:
        """Seconds left, never below 0."""
        return max(0.0, self.at - self.clock.now())

    async def sleep(self, seconds: float, what: str) -> None:
        """Wait; :class:`TryAgainError` at once when the deadline comes before the wait would end.

        ``what`` says in the message what was waited for.
        """
        if seconds > self.left():
            raise TryAgainError(f"{what}: it took longer than was allowed; try again later")
        await self.clock.sleep(seconds)
