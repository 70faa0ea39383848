"""Stages a listener's messages in a process of its own, with less claim to the processors than the one that answers."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import datetime

from flows.worker import Worker
from schemas.errors import TryAgainError
from schemas.records import Chunk, Rejection
from schemas.staged import StagedChunk

_NICE = 10
_PR_SET_PDEATHSIG = 1  # prctl(2): the signal that a process gets when its parent dies


class Stager:
    """A process that stages; begun when it is first needed, and anew when it died."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._pool: ProcessPoolExecutor | None = None

    def stage(self, chunks: Sequence[Chunk], as_of: datetime) -> tuple[StagedChunk, set[int]]:
        """Messages (a chunk each) staged together, and the offsets of those of which something was refused.

        Raises what the transformation raises, and TryAgainError when the process ended before its time.
        """
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, context, initializer=_begin, initargs=(self._worker,))
        try:
            coming = self._pool.submit(_stage, chunks, as_of)
        except RuntimeError as error:  # this process is about to end
            raise TryAgainError("no process can be begun to make rows") from error
        try:
            return coming.result()
        except (BrokenProcessPool, OSError) as error:
            self.close()
            raise TryAgainError(
                f"the process that makes rows ended before its time ({type(error).__name__})"
            ) from error

    def close(self) -> None:
        """End the process."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)


_worker: Worker | None = None  # of this process


def _begin(worker: Worker) -> None:
    global _worker  # noqa: PLW0603 # what a pool's processes begin with can be kept nowhere else
    _worker = worker
    os.nice(_NICE)
    for number in (signal.SIGTERM, signal.SIGINT):  # a terminal sends them to all: the listener says when to end
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _stage(chunks: Sequence[Chunk], as_of: datetime) -> tuple[StagedChunk, set[int]]:
    refused: set[int] = set()

    def placed(rejections: Sequence[Rejection]) -> list[Rejection]:
        refused.update(rejection.offset for rejection in rejections)
        return list(rejections)

    assert _worker is not None
    return _worker.run_again(chunks, as_of, placed), refused
