"""The load of a far server as a Prefect flow: fetch the next export into the landing zone, then load its folder.

Prefect keeps parameters: they name files of keys and passwords, never what is in them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows.drain import Drain
from flows.export_settings import Credentials, ExportSettings, level_named
from flows.fetch import run_fetch
from flows.keyring import keys_of
from flows.landing import landing_zone, note_loaded, plan_export
from flows.load import StepError, load
from flows.load_far import shortfall
from flows.settings import LoadSettings
from schemas.errors import ClinmartError
from schemas.records import LoadReport
from sources.bulk_export import Fetched


@task(name="fetch export", persist_result=False, cache_policy=NO_CACHE)
def fetch_export(number: int) -> Fetched:
    """Fetch into the landing zone; what a run leaves undone the next one goes on with.

    Raises TryAgainError when something is missing. Its own flow control tries again, so Prefect need not.
    """
    asked, folder, mart = _RUNNING[number]
    try:
        fetched = run_fetch(asked, folder, lambda _: None, Drain(), keys=keys_of(mart, create=True))
    except ClinmartError:
        raise
    except Exception as error:  # noqa: BLE001 - its text may hold values, and Prefect keeps it
        raise StepError(type(error).__name__) from None
    if (problem := shortfall(fetched)) is not None and fetched.missing:
        raise problem
    return fetched


# What tasks of this process work on; Prefect is told numbers only.
_RUNNING: dict[int, tuple[ExportSettings, Path, Path]] = {}


@flow(name="clinmart sync", persist_result=False, log_prints=False)
def sync(
    url: str,
    mart: str,
    source: str,
    landing: str | None = None,
    level: str | None = None,
    group: str | None = None,
    types: list[str] | None = None,
    type_filters: list[str] | None = None,
    elements: list[str] | None = None,
    organize_by: str | None = None,
    since: datetime | None = None,
    full: bool = False,
    overlap: float = 600.0,
    client_id: str | None = None,
    key: str | None = None,
    kid: str | None = None,
    token_url: str | None = None,
    scope: str | None = None,
    jwks_url: str | None = None,
    user: str | None = None,
    password_file: str | None = None,
    allowed_hosts: list[str] | None = None,
    plain_http: bool = False,
    parallel: int = 4,
    hours: float = 24.0,
    ignore_counts: bool = False,
    more: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Bring a mart up to what a FHIR server has now. The report of the load is the return value.

    url: the server, or its $export. mart: the DuckDB file. source: name of the source. landing: folder where exports
    land, by default beside the mart. overlap: seconds before the last export from which on changes are asked for.
    key, password_file: files; the password may be in CLINMART_PASSWORD instead. more: parameters of the load flow.
    """
    asked = ExportSettings(
        url,
        Credentials(
            client_id,
            Path(key) if key else None,
            kid,
            token_url,
            scope,
            jwks_url,
            user,
            Path(password_file) if password_file else None,
        ),
        level_named(level),
        group,
        tuple(types or ()),
        tuple(type_filters or ()),
        tuple(elements or ()),
        organize_by,
        since,
        full,
        timedelta(seconds=overlap),
        tuple(allowed_hosts or ()),
        plain_http,
        parallel,
        hours,
        not ignore_counts,
    )
    more = more or {}
    settings = LoadSettings(Path(mart), source, wait=more.get("wait", 0.0))
    zone = landing_zone(settings, Path(landing) if landing else None)
    folder, asked = plan_export(settings, asked, zone)
    number = max(_RUNNING, default=0) + 1
    _RUNNING[number] = asked, folder, settings.mart
    try:
        fetched = fetch_export(number)
    finally:
        del _RUNNING[number]
    report: dict[str, Any] = load([str(folder.absolute())], mart, source, **more)
    note_loaded(folder)
    if (problem := shortfall(fetched)) is not None:
        raise problem
    return report


def run_with_prefect(asked: ExportSettings, settings: LoadSettings, zone: Path) -> LoadReport:
    """Run the flow here, as the command line does; its run shows in the Prefect UI of the configured server."""
    told = asked.credentials
    return LoadReport.from_dict(
        sync(
            asked.url,
            str(settings.mart.absolute()),
            settings.source,
            str(zone.absolute()),
            asked.level,
            asked.group,
            list(asked.types),
            list(asked.type_filters),
            list(asked.elements),
            asked.organize_by,
            asked.since,
            asked.full,
            asked.overlap.total_seconds(),
            told.client_id,
            _path(told.key),
            told.kid,
            told.token_url,
            told.scope,
            told.jwks_url,
            told.user,
            _path(told.password_file),
            list(asked.allowed_hosts),
            asked.plain_http,
            asked.parallel,
            asked.hours,
            not asked.counts,
            {
                "as_of": settings.as_of,
                "sample": settings.sampling.rate,
                "strict": settings.strict,
                "wait": settings.wait,
                "preferred_units": _path(settings.preferred_units),
                "crosswalk": settings.crosswalk_files(),
                "late_policy": settings.late_policy,
                "lateness": settings.lateness.total_seconds(),
                "zone": settings.zone,
                "encrypt": settings.encrypt,
            },
        )
    )


def _path(given: Path | None) -> str | None:
    return None if given is None else str(given.absolute())
