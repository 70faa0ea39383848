"""An export fetched into a folder, with or without someone who reads along."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from flows.drain import Drain
from flows.export_settings import ExportSettings
from sources.bulk_export import ArrivingExport, Export, ExportLimits, Fetched
from sources.pace import Deadline
from stores.keys import Keys
from stores.landing_signatures import LandingSignatures

_SECONDS_PER_HOUR = 3600.0


class DrainedError(Exception):
    """The fetch was asked to stop; what it has stays for the next one."""


def run_fetch(
    settings: ExportSettings,
    folder: Path,
    say: Callable[[str], None],
    drain: Drain,
    reader: ArrivingExport | None = None,
    keys: Keys | None = None,
) -> Fetched:
    """Fetch the export into ``folder``, or go on with the one that is there.

    ``reader`` is told what lands; ``keys`` sign it. Raises :class:`DrainedError`, and the errors of
    :meth:`sources.bulk_export.Export.run`.
    """
    return asyncio.run(_fetch(settings, folder, say, drain, reader, keys))


async def _fetch(
    settings: ExportSettings,
    folder: Path,
    say: Callable[[str], None],
    drain: Drain,
    reader: ArrivingExport | None,
    keys: Keys | None,
) -> Fetched:
    task = asyncio.create_task(_export(settings, folder, say, reader, keys))
    loop = asyncio.get_running_loop()

    def stop() -> None:
        with suppress(RuntimeError):  # it is over, and its loop with it
            loop.call_soon_threadsafe(task.cancel)

    drain.when_asked(stop)
    try:
        return await task
    except asyncio.CancelledError:
        raise DrainedError from None


async def _export(
    settings: ExportSettings,
    folder: Path,
    say: Callable[[str], None],
    reader: ArrivingExport | None,
    keys: Keys | None,
) -> Fetched:
    request = settings.request()
    deadline = Deadline.after(settings.hours * _SECONDS_PER_HOUR)
    async with settings.caller(request, deadline) as caller:
        limits = ExportLimits(counts=settings.counts)
        export = Export(request, folder, caller, deadline, limits, say)
        export.seals = None if keys is None else LandingSignatures(folder, keys)
        if reader is not None:
            export.listed, export.arrived = reader.listed, reader.arrived
        return await export.run()
