"""``clinmart refresh``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.audits import audits
from flows.cli.status import JsonOption, MartOption
from schemas.errors import EXIT_CLEAN, EXIT_DRAINED, IntegrityError


@audits()
def refresh(
    table: Annotated[str, typer.Argument(help="A table of the mart, or a view that was added to it.")],
    mart: MartOption,
    preferred_units: Annotated[
        Path | None, typer.Option(help="CSV with columns loinc, ucum: units of your choice, as for a load.")
    ] = None,
    crosswalk: Annotated[
        list[Path] | None,
        typer.Option(help="Map codes by this file, as for a load; without it no code of the table is mapped any more."),
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Worker threads [default: one per processor].")] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for a mart that another process holds.")] = 0.0,
    grace: Annotated[
        float, typer.Option(help="Seconds that it has to commit what it read after SIGTERM or Ctrl-C.")
    ] = 30.0,
    as_json: JsonOption = False,
) -> None:
    """Make the values of a table anew from the files it was loaded from.

    For a column that is new in this clinmart, a unit that it now understands, other preferred units, or a view that
    was added. Rows and versions stay what they are. Rows whose files are gone keep their values and are counted.
    """
    from flows.drain import draining
    from flows.refresh import run_refresh
    from flows.settings import LoadSettings
    from sources.crosswalks import read_crosswalk

    maps = read_crosswalk(crosswalk or ())
    settings = LoadSettings(mart, "any", wait=wait, jobs=jobs, preferred_units=preferred_units, crosswalk=maps)
    with draining(grace) as drain:
        report = run_refresh(settings, table, drain)
    if as_json:
        typer.echo(json.dumps(report.as_dict()))
    else:
        typer.echo(
            f"{table}: {report.refreshed:,} rows refreshed, {report.left:,} left as they were because their files are "
            f"gone or hold HL7 v2 messages, {report.refused:,} lines refused by today's checks, whose rows are as they "
            "were"
        )
    if report.messages:
        typer.echo(
            f"clinmart: {report.messages:,} file{'s' * (report.messages != 1)} of HL7 v2 messages not read again: rows "
            "that messages made or changed are as they were",
            err=True,
        )
    for missing in report.missing:
        typer.echo(f"clinmart: {missing}", err=True)
    if report.drained:
        typer.echo("clinmart: drained: the same command again does the rest", err=True)
        raise SystemExit(EXIT_DRAINED)
    raise SystemExit(IntegrityError.exit_code if report.missing else EXIT_CLEAN)
