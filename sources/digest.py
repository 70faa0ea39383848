"""The hash of a file, computed beside the thread that reads it."""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

_BACKLOG_BYTES = 16 * 1024 * 1024


class BackgroundDigest:
    """SHA-256 over blocks in their order, with at most 16 MiB of them waiting.

    Reading hashes every byte twice (file and chunk) at about 1.8 GB/s each; one thread alone would stay below
    1 GB/s. The first block is hashed at once, so that small files need no thread.
    """

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._worker: ThreadPoolExecutor | None = None
        self._waiting: deque[tuple[Future[None], int]] = deque()
        self._waiting_bytes = 0
        self._begun = False

    def __enter__(self) -> BackgroundDigest:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._worker is not None:
            self._worker.shutdown(wait=True, cancel_futures=kind is not None)

    def update(self, block: bytes) -> None:
        """Add the next block; waits while too much is in arrears."""
        if not self._begun:
            self._begun = True
            self._sha256.update(block)
            return
        if self._worker is None:
            self._worker = ThreadPoolExecutor(1, thread_name_prefix="clinmart-sha256")
        while self._waiting and self._waiting_bytes + len(block) > _BACKLOG_BYTES:
            self._settle_one()
        self._waiting.append((self._worker.submit(self._sha256.update, block), len(block)))
        self._waiting_bytes += len(block)

    def digest(self) -> bytes:
        """The hash of all blocks so far."""
        while self._waiting:
            self._settle_one()
        return self._sha256.digest()

    def _settle_one(self) -> None:
        job, size = self._waiting.popleft()
        job.result()
        self._waiting_bytes -= size
