"""``clinmart load https://...``."""

from __future__ import annotations

from pathlib import Path

from flows.cli import far
from flows.cli.progress import watching
from flows.drain import draining
from flows.export_settings import ExportSettings
from flows.landing import landing_zone
from flows.load_far import load_far
from flows.settings import LoadSettings
from schemas.errors import EXIT_DRAINED, ClinmartError
from schemas.records import LoadReport


def load_from(
    asked: ExportSettings, settings: LoadSettings, landing: Path | None, *, grace: float, prefect: bool, quiet: bool
) -> tuple[LoadReport, dict[str, object], ClinmartError | None]:
    """The report, what ``--json`` prints besides, and what is missing.

    Raises the error when nothing was loaded because of it.
    """
    zone = landing_zone(settings, landing)
    if prefect:
        from flows.sync import run_with_prefect

        return run_with_prefect(asked, settings, zone), {}, None
    with draining(grace) as drain, watching(quiet=quiet) as watch:
        say = far.saying(quiet=quiet or watch is not None)
        found = load_far(settings, asked, zone, say, watch, drain)
    if found.report is None:
        if found.error is not None:
            raise found.error
        raise SystemExit(EXIT_DRAINED)
    return found.report, {"export": found.as_dict()}, found.error
