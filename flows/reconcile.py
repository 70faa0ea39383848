"""The replay of the quarantine as a Prefect flow, to run when nobody loads: after a fixed map or a new release.

Errors that Prefect stores hold no values of patients: expected ones name files and reasons, others only their type
and place.
"""

from __future__ import annotations

import traceback
from datetime import datetime
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from flows.load import StepError, report_markdown
from flows.replay import ATTEMPTS, run_replay
from flows.settings import LoadSettings
from schemas.errors import ClinmartError, LockedError, TryAgainError
from schemas.records import LoadReport
from sources.crosswalks import read_crosswalk
from sources.mapping import read_mapping
from stores.replays import Selection
from transforms.sample import Sampling

_RETRIES = 3
_RETRY_SECONDS: list[float] = [60, 300, 900]  # a load that holds the mart may take a while


def _may_pass_next_time(_task: Any, _run: Any, state: Any) -> bool:
    """A load that holds the mart ends, and a fault of disk or memory may pass; what a user must mend fails at once."""
    error = state.result(raise_on_failure=False)
    passing = isinstance(error, LockedError | TryAgainError | StepError)
    return passing or not isinstance(error, ClinmartError)


@task(
    name="replay quarantine",
    retries=_RETRIES,
    retry_delay_seconds=_RETRY_SECONDS,
    retry_jitter_factor=0.5,
    retry_condition_fn=_may_pass_next_time,
    persist_result=False,
    cache_policy=NO_CACHE,
)
def replay_quarantine(settings: LoadSettings, selection: Selection, attempts: int) -> dict[str, Any]:
    """Run quarantined lines again; a retry takes up the sources that were not committed."""
    try:
        return run_replay(settings, selection, attempts).as_dict()
    except ClinmartError:
        raise
    except Exception as error:  # noqa: BLE001 - its text may hold values, and Prefect keeps it
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise StepError(f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}") from None


@flow(name="clinmart reconcile", persist_result=False, log_prints=False)
def reconcile(
    mart: str,
    reason: str | None = None,
    since: datetime | None = None,
    source: str | None = None,
    limit: int | None = None,
    attempts: int = ATTEMPTS,
    dead: bool = False,
    sample: float = 0.01,
    wait: float = 0.0,
    preferred_units: str | None = None,
    crosswalk: list[str] | None = None,
    zone: str | None = None,
    charset: str | None = None,
    mapping: str | None = None,
) -> dict[str, Any]:
    """Run quarantined lines again through today's checks. The report is the return value and an artifact of the run.

    mart: the DuckDB file. reason, since, source, limit: which lines, the oldest first.
    attempts: a line that was refused so often again is given up. dead: lines that were given up too.
    sample: share of rows that fhir.resources checks too. wait: seconds to wait for a held mart.
    preferred_units: CSV of UCUM units by LOINC code. crosswalk: files that map codes, ConceptMaps in JSON or CSV.
    zone, charset: of HL7 v2 times and messages that name none. mapping: file that says what the columns of extracts
    are.
    """
    units = Path(preferred_units) if preferred_units else None
    sampling = Sampling(sample)
    settings = LoadSettings(
        Path(mart),
        source or "any",
        sampling=sampling,
        wait=wait,
        preferred_units=units,
        zone=zone,
        charset=charset,
        mapping=read_mapping(Path(mapping)) if mapping else None,
        crosswalk=read_crosswalk([Path(path) for path in crosswalk or ()]),
    )
    report = replay_quarantine(settings, Selection(reason, since, source, limit, dead), attempts)
    create_markdown_artifact(markdown=replay_markdown(report), key="replay-report", description="quarantine replay")
    told = "%s: %s lines taken in, %s refused again, %s given up"
    get_run_logger().info(told, report["status"], report["replayed"], report["open"], report["dead"])
    return report


def replay_markdown(report: dict[str, Any]) -> str:
    """The report as Markdown: what became of the lines, then a table for each source."""
    head = (
        f"# Replay: {report['status']}\n\n{report['replayed']:,} lines taken in, {report['open']:,} refused again, "
        f"{report['dead']:,} given up, {report['cut_short']:,} not kept whole\n"
    )
    return "\n".join([head, *(report_markdown(LoadReport.from_dict(load)) for load in report["loads"])])


def replay_with_prefect(settings: LoadSettings, selection: Selection, attempts: int) -> dict[str, Any]:
    """Run the flow here, as the command line does; its run shows in the Prefect UI of the configured server."""
    return reconcile(
        str(settings.mart.absolute()),
        selection.reason,
        selection.since,
        selection.source,
        selection.limit,
        attempts,
        selection.dead,
        settings.sampling.rate,
        settings.wait,
        str(settings.preferred_units.absolute()) if settings.preferred_units else None,
        settings.crosswalk_files(),
        settings.zone,
        settings.charset,
        str(Path(settings.mapping.uri).absolute()) if settings.mapping else None,
    )
