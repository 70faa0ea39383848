"""The landing zone: a folder in which each export has a folder of its own, and where the next one begins."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from flows.export_settings import ExportSettings
from flows.keyring import mart_at
from flows.settings import LoadSettings, new_load_id
from schemas.errors import StorageError
from sources.bulk_export import ExportRequest
from sources.bulk_export.job import Job, read_job, write_job
from sources.manifest import MANIFEST_NAME
from stores.exports import export_cursor


def landing_zone(settings: LoadSettings, given: Path | None) -> Path:
    """The folder that was given, else ``<mart>.landing`` beside the mart."""
    return given if given is not None else settings.mart.with_name(f"{settings.mart.name}.landing")


def plan_export(settings: LoadSettings, asked: ExportSettings, zone: Path) -> tuple[Path, ExportSettings]:
    """Where the next export lands, and what it asks for.

    One that was not brought to its end goes on; else a new one asks for what changed since the mart's cursor of the
    same request. Raises the errors of opening the mart.
    """
    request = asked.request()
    found = _unfinished(zone, request) if not asked.full else None
    if found is not None and (asked.since is None or _since(found[1]) == asked.since):
        folder, job = found
        return folder, replace(asked, since=_since(job), overlap=asked.overlap)
    return zone / new_load_id(), asked.since_when(_cursor(settings, request.scope))


def note_loaded(folder: Path) -> None:
    """Its load came to an end: it is not loaded again by itself."""
    job = read_job(folder)
    if job is not None and job.landed:
        job.loaded = True
        write_job(folder, job)


def _cursor(settings: LoadSettings, scope: str) -> datetime | None:
    mart = mart_at(settings.mart, memory=settings.memory)
    if not settings.mart.exists():
        return None
    with mart.connect(read_only=True, wait=settings.wait) as connection:
        return export_cursor(connection, settings.source, scope)


def _unfinished(zone: Path, request: ExportRequest) -> tuple[Path, Job] | None:
    """The latest export of the request of which something is still to be had or to be loaded."""
    try:
        folders = sorted((path for path in zone.iterdir() if path.is_dir()), reverse=True) if zone.is_dir() else []
    except OSError as error:
        raise StorageError(f"{zone}: cannot be read: {error.strerror}") from None
    for folder in folders:
        job = read_job(folder)
        if job is None or job.scope != request.scope or job.loaded:
            continue
        if job.landed and not _has_errors(folder):
            return folder, job
        if not job.landed and (job.status_url is not None or job.pages is not None):
            return folder, job
    return None


def _has_errors(folder: Path) -> bool:
    return bool(json.loads((folder / MANIFEST_NAME).read_bytes()).get("error"))


def _since(job: Job) -> datetime | None:
    return None if job.since is None else datetime.fromisoformat(job.since)
