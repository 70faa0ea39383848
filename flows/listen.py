"""Listens for HL7 v2 messages and answers each when it is durable in the mart."""

from __future__ import annotations

import asyncio
import resource
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from flows.drain import Drain
from flows.listen_commit import BatchLimits, Committer, Lanes
from flows.listen_desk import Desk
from flows.listen_report import ListenReport
from flows.listen_seen import SeenLately
from sources.mllp.limits import MllpLimits
from sources.mllp.server import MllpServer

_OTHER_FILES = 100  # that the process has open besides its connections


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; with port 0 the system chooses one."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class ListenLimits:
    """The limits of the connections and of the batches."""

    connections: MllpLimits = field(default_factory=MllpLimits)
    batch: BatchLimits = field(default_factory=BatchLimits)


def run_listen(
    address: Address,
    report: ListenReport,
    committer: Committer,
    limits: ListenLimits,
    drain: Drain,
    ready: Callable[[int], None],
) -> None:
    """Listen until ``drain`` is asked for, then answer what was read whole; what was done stands in ``report``.

    ``ready`` is told the port once connections are accepted. Raises UsageError when the address cannot be had.
    """
    asyncio.run(_listen(address, report, committer, limits, drain, ready))


async def _listen(
    address: Address,
    report: ListenReport,
    committer: Committer,
    limits: ListenLimits,
    drain: Drain,
    ready: Callable[[int], None],
) -> None:
    began = time.monotonic()
    group = Lanes(committer, limits.batch)
    server = MllpServer(Desk(group, SeenLately(), report), _possible(limits.connections), address.tls)
    try:
        asked = asyncio.Event()
        loop = asyncio.get_running_loop()

        def leave() -> None:
            loop.call_soon_threadsafe(asked.set)

        drain.when_asked(leave)
        ready(await server.start(address.host, address.port))
        await asked.wait()
        await server.drain()
    finally:
        await group.close()
    counts = server.counts
    report.accepted, report.refused, report.ended = counts.accepted, counts.refused, dict(counts.ended)
    report.batches, report.checked = group.batches, group.checked
    report.seconds = time.monotonic() - began


def _possible(limits: MllpLimits) -> MllpLimits:
    """The limits with no more connections than the system lets this process have open, which may be raised for them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.connections + _OTHER_FILES
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return replace(limits, connections=max(1, most - _OTHER_FILES))
