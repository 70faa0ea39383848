"""The consumer of a broker as a Prefect flow, for as long as messages come.

Prefect keeps parameters: they name the file of the broker's address, never what is in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows.consume_broker import run_consume
from flows.consume_report import ConsumeReport
from flows.consume_run import ConsumeLimits
from flows.consume_settings import ConsumeSettings
from flows.drain import Drain
from flows.load import StepError
from flows.settings import LoadSettings
from schemas.errors import ClinmartError
from sources.brokers.tls import ClientTls
from sources.crosswalks import read_crosswalk
from sources.routes import read_routes
from transforms.sample import Sampling

_IDLE = 30.0  # seconds without a message after which a flow ends, if it is not told


@task(name="consume messages", persist_result=False, cache_policy=NO_CACHE)
def consume_messages(number: int) -> ConsumeReport:
    """Consume until no message comes. Its own flow control tries again, so Prefect need not."""
    asked, settings = _RUNNING[number]
    try:
        return run_consume(asked, settings, Drain())
    except ClinmartError:
        raise
    except Exception as error:  # noqa: BLE001 - its text may hold values, and Prefect keeps it
        raise StepError(type(error).__name__) from None


# What tasks of this process work on; Prefect is told numbers only.
_RUNNING: dict[int, tuple[ConsumeSettings, LoadSettings]] = {}


@flow(name="clinmart consume", persist_result=False, log_prints=False)
def consume(
    mart: str,
    source: str,
    queue: str | None = None,
    topics: list[str] | None = None,
    group: str = "clinmart",
    url_file: str | None = None,
    plain: bool = False,
    tls_ca: str | None = None,
    tls_cert: str | None = None,
    tls_key: str | None = None,
    dlq: str | None = None,
    tries: int = 3,
    routes: str | None = None,
    zone: str | None = None,
    charset: str | None = None,
    crosswalk: list[str] | None = None,
    sample: float = 0.01,
    batch: int = 5_000,
    batch_bytes: int = 16 * 1024 * 1024,
    batch_seconds: float = 1.0,
    prefetch: int | None = None,
    from_mart: bool = False,
    patience: float = 900.0,
    wait: float = 0.0,
    until_idle: float = _IDLE,
) -> dict[str, Any]:
    """Consume a queue or topics into a mart until no message came for a while. The report is the return value.

    mart: the DuckDB file. source: name of the source. url_file: file with the broker's address; without it,
    CLINMART_BROKER_URL of the process. dlq: queue or topic for refused messages. routes: rules for HL7 v2 messages.
    patience, wait, until_idle: seconds that the broker may be away, that the mart may be held by another process, and
    without a message after which the flow ends.
    """
    certificates = (Path(one) if one else None for one in (tls_ca, tls_cert, tls_key))
    asked = ConsumeSettings(
        queue=queue,
        topics=tuple(topics or ()),
        group=group,
        url_file=Path(url_file) if url_file else None,
        plain=plain,
        tls=ClientTls(*certificates),
        dead=dlq,
        tries=tries,
        prefetch=prefetch,
        from_mart=from_mart,
        limits=ConsumeLimits(batch, batch_bytes, batch_seconds, patience, until_idle),
    )
    rules = read_routes(Path(routes)).of(source) if routes else None
    settings = LoadSettings(
        Path(mart),
        source,
        zone=zone,
        charset=charset,
        routes=rules,
        crosswalk=read_crosswalk([Path(path) for path in crosswalk or ()]),
        sampling=Sampling(sample),
        wait=wait,
    )
    number = max(_RUNNING, default=0) + 1
    _RUNNING[number] = asked, settings
    try:
        return consume_messages(number).as_dict()
    finally:
        del _RUNNING[number]
