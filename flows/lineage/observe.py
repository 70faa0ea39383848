"""Tells of a run as OpenLineage wants: one START, then one of COMPLETE, FAIL or ABORT, also when the run was killed.

What cannot be sent is kept beside the mart and sent by the next run; a load never fails for its lineage.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from uuid import uuid4

from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.generated.base import RunFacet
from openlineage.client.generated.error_message_run import ErrorMessageRunFacet
from openlineage.client.generated.job_type_job import JobTypeJobFacet
from openlineage.client.generated.processing_engine_run import ProcessingEngineRunFacet
from openlineage.client.serde import Serde
from openlineage.client.uuid import generate_static_uuid

from flows.keyring import keys_of
from flows.lineage.datasets import file_datasets, table_dataset, type_dataset
from flows.lineage.sending import Sender, SendError, sender_to
from flows.masking import Masker
from flows.session import LoadSession
from flows.settings import environment
from schemas.errors import ClinmartError
from schemas.records import LoadReport
from schemas.tables import tables_by_type
from stores.identity import mart_id
from stores.keys import Purpose
from stores.lineage_runs import LineageRuns, OpenRun
from stores.sql import STORED
from stores.stored import stored_columns

_LOG = logging.getLogger(__name__)
_PRODUCER = "urn:clinmart"
_PROCESS = uuid4().hex  # of this process: runs that others left open are dead
_ENDS = {"failed": RunState.FAIL, "drained": RunState.ABORT}


@contextmanager
def told_as_lineage(session: LoadSession, where: str) -> Iterator[None]:
    """Send the events of a session's run to ``where``, a file or an address. UsageError for what is neither."""
    runs = LineageRuns(session.settings.mart)
    teller = _Teller(sender_to(where, environment("LINEAGE_KEY", "")), runs)
    teller.catch_up()
    run = _run_of(session.report)
    runs.begin(run)
    teller.tell(_event(run, RunState.START, session.report.started_at))
    try:
        yield
    except Exception as error:
        teller.end(_event(run, RunState.FAIL, facets={"errorMessage": _fault(error)}), run)
        raise
    except BaseException:  # the run was stopped, not broken
        teller.end(_event(run, RunState.ABORT), run)
        raise
    else:
        teller.end(_last(session, run), run)


@dataclass(frozen=True, slots=True)
class _Teller:
    """Sends events; what does not arrive is kept."""

    sender: Sender
    runs: LineageRuns

    def catch_up(self) -> None:
        """Send what an earlier run could not, and the end of those that were killed."""
        for event in self.runs.unsent():
            try:
                self.sender.send(json.loads(event))
            except SendError:
                break
            self.runs.sent(event)
        for run in self.runs.dead(_PROCESS):
            self.end(_event(run, RunState.ABORT), run)

    def tell(self, event: RunEvent) -> None:
        """Send one event, behind those that still wait."""
        made = Serde.to_dict(event)
        try:
            if self.runs.unsent():
                raise SendError("others wait")
            self.sender.send(made)
        except SendError as error:
            _LOG.warning("an event of lineage could not be sent (%s): the next run sends it", error)
            self.runs.keep(json.dumps(made, sort_keys=True))

    def end(self, event: RunEvent, run: OpenRun) -> None:
        """Send the last event of a run."""
        self.tell(event)
        self.runs.end(run.run_id)


def _run_of(report: LoadReport) -> OpenRun:
    made = generate_static_uuid(report.started_at, f"{report.load_id}:{report.source}".encode())
    return OpenRun(str(made), report.load_id, report.source, report.kind, report.started_at, _PROCESS)


def _event(
    run: OpenRun,
    state: RunState,
    at: datetime | None = None,
    facets: dict[str, RunFacet] | None = None,
    inputs: list[InputDataset] | None = None,
    outputs: list[OutputDataset] | None = None,
) -> RunEvent:
    engine = ProcessingEngineRunFacet(version("clinmart"), "clinmart", version("openlineage-python"))
    known = JobTypeJobFacet(
        processingType="STREAMING" if run.kind in ("listen", "consume") else "BATCH",
        integration="CLINMART",
        jobType=run.kind.upper(),
    )
    event = RunEvent(
        eventType=state,
        eventTime=(at or datetime.now(UTC)).isoformat(),
        run=Run(run.run_id, facets={"processing_engine": engine, **(facets or {})}),
        job=Job("clinmart", f"{run.kind}.{run.source}", facets={"jobType": known}),
        inputs=inputs or [],
        outputs=outputs or [],
        producer=_PRODUCER,
    )
    _sign(event)
    return event


def _sign(event: RunEvent) -> None:
    """Name the producer in every facet; the package would name itself."""
    for owner in (event.run, event.job, *(event.inputs or []), *(event.outputs or [])):
        for name in ("facets", "inputFacets", "outputFacets"):
            for facet in (getattr(owner, name, None) or {}).values():
                facet._producer = _PRODUCER


def _last(session: LoadSession, run: OpenRun) -> RunEvent:
    """How a run ended, with all that it read and wrote."""
    report = session.report
    inputs, outputs = [], []
    by_type = tables_by_type()
    with suppress(ClinmartError):  # what cannot be told of a mart that is gone is not worth a failure
        masker = Masker(keys_of(session.settings.mart, create=True).current(Purpose.MASK).secret)
        inputs = [*file_datasets(session.accounts.taken, masker)]
    inputs += [type_dataset(report.source, kind, one, by_type.get(kind)) for kind, one in report.resources.items()]
    with suppress(ClinmartError), session.connect() as connection:
        mart, stored = mart_id(connection), stored_columns(connection)
        for kind, counts in report.resources.items():
            table = by_type.get(kind)
            if table is not None and counts.applied:
                there = stored.get((STORED, table.name), {})
                outputs.append(table_dataset(mart, table, there, counts, [report.source]))
    told = {"load_id": report.load_id, "status": report.status, "kind": report.kind}
    counted = {name: one.as_dict() for name, one in sorted(report.resources.items())}
    facet = RunFacet().with_additional_properties(**told, resources=counted)
    state = _ENDS.get(report.status, RunState.COMPLETE)
    return _event(run, state, facets={"clinmart_report": facet}, inputs=inputs, outputs=outputs)  # type: ignore[dict-item]


def _fault(error: Exception) -> ErrorMessageRunFacet:
    """What went wrong without its words, which may name files."""
    code = f" (exit code {error.exit_code})" if isinstance(error, ClinmartError) else ""
    return ErrorMessageRunFacet(f"{type(error).__name__}{code}", "PYTHON")
