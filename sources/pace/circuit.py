"""A circuit breaker: after failures in a row nothing is called for a while, and then one call at a time probes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from circuitbreaker import CircuitBreaker

from schemas import signals
from schemas.signals import CIRCUIT_OPEN
from sources.pace.clock import Deadline
from sources.pace.limits import PaceLimits
from sources.pace.passing import PassingError


class Circuit:
    """The state of one far place. The library keeps it; who waits, and that probes go one by one, is decided here."""

    def __init__(self, limits: PaceLimits) -> None:
        self._breaker = CircuitBreaker(
            failure_threshold=limits.circuit_failures,
            recovery_timeout=limits.circuit_rest,
            expected_exception=_is_failure,
        )
        self._probe = asyncio.Lock()

    @property
    def closed(self) -> bool:
        """True as long as calls may go through side by side."""
        return bool(self._breaker.closed)

    @asynccontextmanager
    async def passed(self, deadline: Deadline) -> AsyncIterator[None]:
        """Wait until a call may be made, and learn from how it ends.

        Raises TryAgainError when the deadline comes first.
        """
        if self.closed:
            with self._breaker:
                yield
            return
        async with self._probe:
            signals.tell(CIRCUIT_OPEN, 1)
            while self._breaker.opened:
                await deadline.sleep(self._breaker.open_remaining, "the server failed again and again")
            with self._breaker:
                yield
            signals.tell(CIRCUIT_OPEN, 0)


def _is_failure(_kind: type[BaseException], error: BaseException) -> bool:
    return isinstance(error, PassingError) and not error.busy
