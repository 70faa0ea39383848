"""Consumes a broker into a mart, from its opening to its report."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from flows.consume_mart import open_consumer
from flows.consume_report import ConsumeReport
from flows.consume_run import Consumption
from flows.consume_settings import ConsumeSettings
from flows.consume_stage import BatchStager
from flows.drain import Drain
from flows.settings import LoadSettings

_LIBRARIES = ("aio_pika", "aiobotocore", "aiokafka", "aiormq", "botocore")


def run_consume(
    asked: ConsumeSettings,
    settings: LoadSettings,
    drain: Drain,
    ready: Callable[[str], None] = lambda _: None,
) -> ConsumeReport:
    """Consume until it is drained, or idle for as long as was asked; what was done is in the report.

    ``ready`` is told what is consumed, once it is. Raises the errors of :mod:`schemas.errors`, and
    :class:`flows.consume_mart.DrainedError` when it was drained before it had the mart.
    """
    for library in _LIBRARIES:  # they log what went wrong with what they were given; we say it without
        logging.getLogger(library).setLevel(logging.CRITICAL + 1)
    address = asked.address()
    report = ConsumeReport(f"{asked.queue or ', '.join(asked.topics)} of {address}")
    with open_consumer(settings, address.kind, drain) as committer:
        broker = asked.broker(committer.known)
        stager = BatchStager([one.worker for one in committer.sessions], settings.limits, asked.tries)
        run = Consumption(broker, stager, committer, asked.limits, report, drain, dict(committer.known))
        try:
            asyncio.run(run.run(lambda: ready(report.place)))
        finally:
            stager.close()
        report.load = committer.finish(drained=drain.asked)
    return report
