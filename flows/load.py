"""The load as a Prefect flow: one task per partition, a report as an artifact, and the same functions as the runner.

Errors that Prefect stores hold no values of patients: expected ones name files and reasons, others only their type
and place.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner

from flows.commit_unit import Read
from flows.landing_checks import check_landings
from flows.opening import open_session
from flows.routed import settings_by_source, summed
from flows.session import LoadSession
from flows.settings import LoadSettings, object_access
from schemas.errors import ChangedError, ClinmartError, IntegrityError, TryAgainError, UsageError
from schemas.formats import Format
from schemas.lateness import LatePolicy
from schemas.records import DISPOSITIONS, LoadReport, Partition
from schemas.staged import StagedChunk
from sources.crosswalks import read_crosswalk
from sources.files import FileSource
from sources.mapping import read_mapping
from sources.objects.address import is_object
from sources.routes import read_routes
from transforms.sample import Sampling

_RETRIES = 2
_RUNNER: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(max_workers=2)
_RETRY_SECONDS: list[float] = [2, 10]


class StepError(ClinmartError):
    """An unexpected error inside a task, without the values its text may hold."""


def _may_pass_next_time(_task: Any, _run: Any, state: Any) -> bool:
    """Errors that a user must mend fail at once; the rest may be a passing fault of disk, memory or network."""
    error = state.result(raise_on_failure=False)
    if isinstance(error, TryAgainError):
        return not isinstance(error, ChangedError)
    return isinstance(error, StepError) or not isinstance(error, ClinmartError)


@task(
    name="stage partition",
    task_run_name="stage {name}",
    retries=_RETRIES,
    retry_delay_seconds=_RETRY_SECONDS,
    retry_jitter_factor=0.5,
    retry_condition_fn=_may_pass_next_time,
    persist_result=False,
    cache_policy=NO_CACHE,
)
def stage_partition(name: str, number: int) -> Read | str:  # noqa: ARG001 - the name is shown by Prefect
    """Read, transform and stage one partition; the reason when its file is damaged and refused whole."""
    source, session, partition = _RUNNING[number]
    try:
        return asyncio.run(_stage(source, session, partition))
    except IntegrityError as error:
        return str(error)
    except ClinmartError:
        raise
    except Exception as error:  # noqa: BLE001 - its text may hold values, and Prefect keeps it
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise StepError(f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}") from None


# What tasks of this process work on; Prefect is told names only.
_RUNNING: dict[int, tuple[FileSource, LoadSession, Partition]] = {}


async def _stage(source: FileSource, session: LoadSession, partition: Partition) -> Read:
    as_of, given = session.time_of(partition, source.as_of(partition))
    reading = source.read(partition)
    chunks: list[StagedChunk] = []
    try:
        async for item in reading:
            chunks.append(await asyncio.to_thread(session.worker.run, item, as_of))
    except BaseException:
        for chunk in chunks:
            session.stage.discard(chunk.paths)
        raise
    finally:
        await reading.aclose()
    return Read(partition, as_of, given, reading.sha256, reading.lines, chunks)


@flow(
    name="clinmart load",
    task_runner=_RUNNER,  # type: ignore[arg-type] # Prefect's own runner does not fit its own annotation
    persist_result=False,
    log_prints=False,
)
def load(
    inputs: list[str],
    mart: str,
    source: str,
    as_of: datetime | None = None,
    sample: float = 0.01,
    strict: bool = False,
    wait: float = 0.0,
    preferred_units: str | None = None,
    crosswalk: list[str] | None = None,
    replaces: str | None = None,
    late_policy: LatePolicy = LatePolicy.MERGE,
    lateness: float = 0.0,
    deletes: Sequence[str] = (),
    format: Format = Format.AUTO,
    charset: str | None = None,
    zone: str | None = None,
    to_fhir: str | None = None,
    routes: str | None = None,
    mapping: str | None = None,
    encrypt: bool = False,
    require_signed: bool = False,
    lineage: str | None = None,
) -> dict[str, Any]:
    """Load clinical data into a mart. The report is the return value and an artifact of the run.

    inputs: files, folders or globs. mart: the DuckDB file. source: name of the source. as_of: time of rows that
    carry none.
    sample: share of rows that fhir.resources checks too. strict: all or nothing. wait: seconds to wait for a held mart.
    preferred_units: CSV of UCUM units by LOINC code, before the project's own.
    crosswalk: files that map codes, ConceptMaps in JSON or CSV.
    replaces: id of a refused line that the one line to load corrects.
    late_policy: merge, quarantine or
    discard rows that are more than lateness seconds behind the newest of their type. deletes: files of deletes.
    format: what the files hold. charset, zone: of HL7 v2 messages and times that name none. to_fhir: folder for what
    they become. routes: file of rules that say by their header where messages belong. mapping: file that says what the
    columns of extracts are. encrypt: make a new mart encrypted.
    require_signed: refuse folders of files that no key of this mart signed. lineage: file or address that
    OpenLineage events go to.
    """
    settings = LoadSettings(
        Path(mart),
        source,
        as_of,
        sampling=Sampling(sample),
        strict=strict,
        wait=wait,
        preferred_units=Path(preferred_units) if preferred_units else None,
        crosswalk=read_crosswalk([Path(path) for path in crosswalk or ()]),
        replaces=replaces,
        late_policy=late_policy,
        lateness=timedelta(seconds=lateness),
        format=format,
        charset=charset,
        zone=zone,
        to_fhir=Path(to_fhir) if to_fhir else None,
        routes=read_routes(Path(routes)) if routes else None,
        mapping=read_mapping(Path(mapping)) if mapping else None,
        encrypt=encrypt,
        require_signed=require_signed,
        lineage=lineage,
    )
    files = FileSource(
        inputs,
        settings.limits,
        deletes=deletes,
        given=settings.format,
        mapping=settings.mapping,
        objects=object_access,
    )
    check_landings(files, settings)
    reports = []
    for one in settings_by_source(settings, deletes=bool(deletes)):
        with open_session(one) as session:
            partitions = files.partitions()
            _load_all(files, partitions, session)
            session.finish(files.manifests, partitions)
        reports.append(session.report)
    report = summed(settings, reports)
    create_markdown_artifact(markdown=report_markdown(report), key="load-report", description=f"load {report.load_id}")
    get_run_logger().info("%s: %s resources read", report.status, f"{report.total().read:,}")
    return report.as_dict()


def _load_all(files: FileSource, partitions: Sequence[Partition], session: LoadSession) -> None:
    """Stage all partitions that are not known yet, in waves that fill one commit unit each."""
    wave: list[Partition] = []
    for partition in partitions:
        session.report.bytes += partition.size
        if session.is_done(partition, files.digest, files.as_of(partition)):
            continue
        wave.append(partition)
        if sum(p.size for p in wave) >= session.settings.unit_bytes and not session.settings.strict:
            _run_wave(files, session, wave)
            session.commit()
            wave = []
    _run_wave(files, session, wave)


def _run_wave(files: FileSource, session: LoadSession, wave: Sequence[Partition]) -> None:
    numbers = []
    for partition in wave:
        number = max(_RUNNING, default=0) + 1
        _RUNNING[number] = (files, session, partition)
        numbers.append(number)
    try:
        runs = [stage_partition.submit(_shown(_RUNNING[n][2]), n) for n in numbers]
        for run in runs:
            staged = run.result()
            if isinstance(staged, str):
                session.refuse(staged, ())
            else:
                session.add(staged)
    finally:
        for number in numbers:
            del _RUNNING[number]


def _shown(partition: Partition) -> str:
    name = Path(partition.uri).name
    return name if not partition.start and partition.end is None else f"{name} from {partition.start}"


def report_markdown(report: LoadReport) -> str:
    """The report as a Markdown table."""
    total = report.total()
    lines = [
        f"## {report.source}: {report.status}",
        "",
        f"{total.read:,} resources, {report.bytes / 1e6:,.1f} MB in {report.seconds:.1f} s, load `{report.load_id}`",
        "",
        "| resource | read | " + " | ".join(DISPOSITIONS) + " |",
        "|---|" + "---:|" * (len(DISPOSITIONS) + 1),
    ]
    for name, counts in [*sorted(report.resources.items()), ("**all**", total)]:
        numbers = [counts.read, *(getattr(counts, d) for d in DISPOSITIONS)]
        lines.append(f"| {name} | " + " | ".join(f"{n:,}" for n in numbers) + " |")
    lines += [f"\n**Refused:** {why}" for why in report.refused]
    return "\n".join(lines)


def run_with_prefect(inputs: Sequence[str], settings: LoadSettings, deletes: Sequence[str] = ()) -> LoadReport:
    """Run the flow here, as the command line does; its run shows in the Prefect UI of the configured server."""
    if not inputs and not deletes:
        raise UsageError("give at least one file or folder to load")
    found = load(
        [_absolute(each) for each in inputs],
        str(settings.mart.absolute()),
        settings.source,
        settings.as_of,
        settings.sampling.rate,
        settings.strict,
        settings.wait,
        str(settings.preferred_units.absolute()) if settings.preferred_units else None,
        settings.crosswalk_files(),
        settings.replaces,
        settings.late_policy,
        settings.lateness.total_seconds(),
        [_absolute(each) for each in deletes],
        settings.format,
        settings.charset,
        settings.zone,
        str(settings.to_fhir.absolute()) if settings.to_fhir else None,
        str(Path(settings.routes.uri).absolute()) if settings.routes else None,
        str(Path(settings.mapping.uri).absolute()) if settings.mapping else None,
        settings.encrypt,
        settings.require_signed,
        settings.lineage,
    )
    return LoadReport.from_dict(found)


def _absolute(given: str) -> str:
    return given if is_object(given) else str(Path(given).absolute())
