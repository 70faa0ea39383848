"""A process of its own that stages, with less claim to the processors than the one that answers."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Concatenate, ParamSpec, TypeVar

from flows.worker import Worker
from schemas.errors import TryAgainError

_P = ParamSpec("_P")
_T = TypeVar("_T")
_NICE = 10
_PR_SET_PDEATHSIG = 1  # prctl(2): the signal that a process gets when its parent dies


class ProcessDiedError(TryAgainError):
    """The process that stages ended before its time: what it had in hand may be to blame, or the machine."""


class StagingProcess:
    """A process with workers of its own; begun when it is first needed, and anew when it died."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def run(self, work: Callable[Concatenate[Sequence[Worker], _P], _T], *args: _P.args, **more: _P.kwargs) -> _T:
        """What ``work`` returns there, given the workers first. A function of a module: its name is sent.

        Raises what it raises, and ProcessDiedError when the process ended before its time.
        """
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, context, initializer=_begin, initargs=(self._workers,))
        try:
            coming: Future[_T] = self._pool.submit(_work, work, args, more)
        except RuntimeError as error:  # this process is about to end
            raise TryAgainError("no process can be begun to make rows") from error
        try:
            return coming.result()
        except (BrokenProcessPool, OSError) as error:
            self.close()
            raise ProcessDiedError(
                f"the process that makes rows ended before its time ({type(error).__name__})"
            ) from error

    def close(self) -> None:
        """End the process."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)


_workers: Sequence[Worker] = ()  # of this process


def _begin(workers: Sequence[Worker]) -> None:
    global _workers  # noqa: PLW0603 # what a pool's processes begin with can be kept nowhere else
    _workers = workers
    os.nice(_NICE)
    for number in (signal.SIGTERM, signal.SIGINT):  # a terminal sends them to all: the parent says when to end
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _work(work: Callable[..., _T], args: tuple[Any, ...], more: dict[str, Any]) -> _T:
    return work(_workers, *args, **more)
