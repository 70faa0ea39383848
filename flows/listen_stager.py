"""Stages a listener's messages in a process of its own, with less claim to the processors than the one that answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from flows.staging_process import StagingProcess
from flows.worker import Worker
from schemas.records import Chunk, Rejection
from schemas.staged import StagedChunk


class Stager:
    """Stages in a process that is begun when it is first needed, and anew when it died."""

    def __init__(self, worker: Worker) -> None:
        self._process = StagingProcess([worker])

    def stage(self, chunks: Sequence[Chunk], as_of: datetime) -> tuple[StagedChunk, set[int]]:
        """Messages (a chunk each) staged together, and the offsets of those of which something was refused.

        Raises what the transformation raises, and TryAgainError when the process ended before its time.
        """
        return self._process.run(_stage, chunks, as_of)

    def close(self) -> None:
        """End the process."""
        self._process.close()


def _stage(workers: Sequence[Worker], chunks: Sequence[Chunk], as_of: datetime) -> tuple[StagedChunk, set[int]]:
    refused: set[int] = set()

    def placed(rejections: Sequence[Rejection]) -> list[Rejection]:
        refused.update(rejection.offset for rejection in rejections)
        return list(rejections)

    return workers[0].run_again(chunks, as_of, placed), refused
