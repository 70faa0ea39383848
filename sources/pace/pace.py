"""Calls of one far place, under all limits at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiolimiter import AsyncLimiter
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from schemas.errors import TryAgainError
from sources.pace.circuit import Circuit
from sources.pace.clock import Clock, Deadline
from sources.pace.limits import PaceLimits
from sources.pace.passing import PassingError

_Answer = TypeVar("_Answer")


class Pace:
    """Flow control for one far place; belongs to one event loop.

    A call holds one of ``limits.concurrency`` places while it is made, and none while it waits for its next try.
    """

    def __init__(self, limits: PaceLimits | None = None, clock: Clock | None = None) -> None:
        self.limits = limits or PaceLimits()
        self.clock = clock or Clock()
        self._places = asyncio.Semaphore(self.limits.concurrency)
        self._rate = AsyncLimiter(max(1.0, self.limits.rate), max(1.0, 1.0 / self.limits.rate))
        self._circuit = Circuit(self.limits)
        # tenacity's is "full jitter": anything from 0 to a bound that doubles
        self._jitter = wait_random_exponential(self.limits.first_wait, self.limits.longest_wait)
        self._quiet_until = -1.0  # by the clock: the other side asked all of us to wait

    async def call(self, attempt: Callable[[], Awaitable[_Answer]], deadline: Deadline | None = None) -> _Answer:
        """The answer of ``attempt``, which is made again as long as it raises :class:`PassingError`.

        Raises :class:`TryAgainError` when all tries failed or the deadline comes first; what else ``attempt`` raises
        passes through at once.
        """
        deadline = deadline or Deadline(self.clock)
        retrying = AsyncRetrying(
            sleep=lambda seconds: deadline.sleep(seconds, "no answer"),
            stop=stop_after_attempt(self.limits.tries),
            wait=self._wait,
            retry=retry_if_exception_type(PassingError),
            reraise=True,
        )
        try:
            return await retrying(self._once, attempt, deadline)
        except PassingError as error:
            times = "once" if self.limits.tries == 1 else f"{self.limits.tries} times"
            raise TryAgainError(f"{error}; tried {times}. Try again later") from None

    async def _once(self, attempt: Callable[[], Awaitable[_Answer]], deadline: Deadline) -> _Answer:
        async with self._places:
            while (quiet := self._quiet_until - self.clock.now()) > 0:
                await deadline.sleep(quiet, "the server asked to wait")
            async with self._circuit.passed(deadline), self._rate:
                return await self._heard(attempt)

    async def _heard(self, attempt: Callable[[], Awaitable[_Answer]]) -> _Answer:
        try:
            return await attempt()
        except PassingError as error:
            if error.retry_after is not None:
                asked = min(error.retry_after, self.limits.longest_retry_after)
                self._quiet_until = max(self._quiet_until, self.clock.now() + asked)
            raise

    def _wait(self, state: RetryCallState) -> float:
        return self._jitter(state)
