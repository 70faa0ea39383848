"""A load by rules: one load for each source that the rules name, over the same files, one after the other.

Each takes the messages that are its own, in transactions and with receipts of its own, so that what is true of a load
is true of each of them; a load that ended early goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from flows.drain import Drain
from flows.runner import Watcher, run_load
from flows.settings import LoadSettings
from schemas.errors import UsageError
from schemas.formats import Format
from schemas.records import LoadReport, total_of
from sources.source import Source

_WORST_FIRST = ("failed", "drained", "quarantined", "ok")


def load_each(
    source: Source, settings: LoadSettings, watch: Watcher | None, drain: Drain, *, deletes: bool = False
) -> LoadReport:
    """Load everything that ``source`` has, with rules each of their sources; the report is the sum.

    ``deletes``: files of deletes are among it. UsageError for options that a load by rules cannot have.
    """
    reports = []
    for one in settings_by_source(settings, deletes=deletes):
        reports.append(run_load(source, one, watch, drain))
        if drain.asked:
            break
    return summed(settings, reports)


def settings_by_source(settings: LoadSettings, *, deletes: bool = False) -> list[LoadSettings]:
    """The settings of the load of each source, that of the whole first; alone without rules.

    UsageError for options that a load by rules cannot have.
    """
    if settings.routes is None:
        return [settings]
    routes = settings.routes.of(settings.source)
    if settings.format is not Format.HL7V2:
        raise UsageError("--routes is for HL7 v2 messages: give --format hl7v2 with it")
    if deletes:
        raise UsageError("--deletes and --routes do not go together: load the deletes of each source with its --source")
    if settings.replaces is not None:
        raise UsageError("--replaces and --routes do not go together: give the --source of the line, and no rules")
    if settings.strict and len(routes.sources) > 1:
        raise UsageError(
            f"--strict loads all or nothing, and each of the sources {', '.join(routes.sources)} has transactions of "
            "its own: load without --strict, or by rules that name no other source"
        )
    return [replace(settings, source=name, routes=routes) for name in routes.sources]


def summed(settings: LoadSettings, reports: Sequence[LoadReport]) -> LoadReport:
    """The reports of the sources as one that adds up, with the name and times of the first."""
    if settings.routes is None:
        return reports[0]
    left = len(settings_by_source(settings)) - len(reports)
    return total_report(settings.source, reports, drained=bool(left))


def total_report(source: str, reports: Sequence[LoadReport], *, drained: bool = False) -> LoadReport:
    """Reports of several sources as one of ``source`` that adds up; ``drained``: there would be more."""
    first, last = reports[0], reports[-1]
    statuses = {report.status for report in reports} | ({"drained"} if drained else set())
    whole = replace(
        first,
        source=source,
        status=next(status for status in _WORST_FIRST if status in statuses),
        resources=total_of(report.resources for report in reports),
        inputs=total_of(report.inputs for report in reports),
        tables=last.tables,
        seconds=sum(report.seconds for report in reports),
        refused=list(dict.fromkeys(why for report in reports for why in report.refused)),
        deferred=list(dict.fromkeys(why for report in reports for why in report.deferred)),
        notes=list(dict.fromkeys(note for report in reports for note in report.notes)),
        unrouted=sum(report.unrouted for report in reports),
        unmapped=sum(report.unmapped for report in reports),
        unmapped_codes=[code for report in reports for code in report.unmapped_codes],
        sources={report.source: report for report in reports},
    )
    for name in ("views", "conflicts", "late"):
        total: dict[str, int] = {}
        for report in reports:
            for key, number in getattr(report, name).items():
                total[key] = total.get(key, 0) + number
        setattr(whole, name, total)
    return whole
