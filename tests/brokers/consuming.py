"""A consumer in this process: what the tests of consuming share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from flows.consume_mart import ConsumeCommitter, open_consumer
from flows.consume_report import ConsumeReport
from flows.consume_run import ConsumeLimits, Consumption
from flows.consume_stage import BatchStager
from flows.drain import Drain
from flows.settings import LoadSettings
from flows.staging_process import StagingProcess
from flows.worker import Worker
from sources.brokers.broker import Broker
from sources.pace import Pace, PaceLimits

_P = ParamSpec("_P")
_T = TypeVar("_T")
QUICK = PaceLimits(concurrency=1, rate=1000, first_wait=0.001, longest_wait=0.001, circuit_rest=0.01)


class StagingHere(StagingProcess):
    """Stages in the thread that asks: to begin a process takes seconds."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        super().__init__(workers)
        self._here = workers

    def run(self, work: Callable[Concatenate[Sequence[Worker], _P], _T], *args: _P.args, **more: _P.kwargs) -> _T:
        """See :meth:`StagingProcess.run`."""
        return work(self._here, *args, **more)


def settings_for(mart: Path, source: str = "s", **more: Any) -> LoadSettings:
    """Settings of a consumer."""
    return LoadSettings(mart, source, **more)


def consume(
    broker: Broker,
    settings: LoadSettings,
    *,
    limits: ConsumeLimits | None = None,
    drain: Drain | None = None,
    kind: str = "memory",
    tries: int = 3,
    staging: Callable[[Sequence[Worker]], StagingProcess] = StagingHere,
    committing: Callable[[ConsumeCommitter], Any] = lambda committer: committer,
) -> ConsumeReport:
    """Consume until nothing has come for a moment."""
    report, drain = ConsumeReport("here"), drain or Drain()
    limits = limits or ConsumeLimits(messages=100, seconds=0.02, patience=5.0, idle=0.05)
    with open_consumer(settings, kind, drain) as committer:
        workers = [session.worker for session in committer.sessions]
        stager = BatchStager(workers, settings.limits, tries, staging(workers))
        run = Consumption(
            broker, stager, committing(committer), limits, report, drain, dict(committer.known), Pace(QUICK)
        )
        try:
            asyncio.run(run.run())
        finally:
            stager.close()
        report.load = committer.finish(drained=drain.asked)
    return report
