"""Tries again what a consumer does with the mart and the disk: nothing of a batch is acknowledged before it is done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

import duckdb
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from schemas.errors import ClinmartError, IntegrityError, LockedError, UsageError

_T = TypeVar("_T")
_LOG = logging.getLogger(__name__)
_FAILURES = 5  # of the disk or the process that stages, in a row, after which the consumer gives up
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0  # seconds; each wait is anything from 0 to a bound that doubles
_PASSING = (ClinmartError, OSError, MemoryError, duckdb.OutOfMemoryException)


async def until_done(pool: Executor, do: Callable[[], _T], what: str) -> _T:
    """What ``do`` returns, done in a thread, again and again while that may help: a mart that is held is waited for, a
    disk that fails is given a few tries. ``what`` says in a warning what was not done.

    Raises what it raised last.
    """
    loop, failures = asyncio.get_running_loop(), 0

    def stop(state: RetryCallState) -> bool:
        nonlocal failures
        error = state.outcome.exception() if state.outcome else None
        failures += not isinstance(error, LockedError)
        return failures >= _FAILURES or isinstance(error, UsageError | IntegrityError)

    def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        said = error if isinstance(error, ClinmartError) else type(error).__name__
        _LOG.warning("a batch was not %s, and will be tried again; nothing of it is acknowledged: %s", what, said)

    async def attempt() -> _T:
        return await loop.run_in_executor(pool, do)

    retrying = AsyncRetrying(
        retry=retry_if_exception_type(_PASSING),
        wait=wait_random_exponential(_FIRST_WAIT, _LONGEST_WAIT),
        stop=stop,
        before_sleep=tell,
        reraise=True,
    )
    return await retrying(attempt)
