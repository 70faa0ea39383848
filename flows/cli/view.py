"""``clinmart view``: SQL on FHIR v2 ViewDefinitions."""

from __future__ import annotations

import difflib
import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.audits import audits
from schemas.errors import EXIT_CLEAN, EXIT_QUARANTINED, UsageError

app = typer.Typer(help="Run, add, drop, check and show SQL on FHIR ViewDefinitions.", no_args_is_help=True)

ViewArgument = Annotated[Path, typer.Argument(metavar="VIEW.json", help="A ViewDefinition (SQL on FHIR v2).")]


@app.command("run")
def run(
    view: ViewArgument,
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Files, folders or globs, also of s3://, gs://, az://: NDJSON, .gz, .zst, Bundles, $export.",
        ),
    ],
    form: Annotated[str, typer.Option("--format", help="ndjson, csv or parquet.")] = "ndjson",
    out: Annotated[
        str | None, typer.Option("--out", help="Write to this file, or object of s3://, gs://, az://, not to stdout.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Worker threads [default: one per processor].")] = None,
) -> None:
    """Run a view over FHIR resources, without a mart; rows come in the order of the input.

    Only lines of the view's resource type are read. Lines that are not what FHIR says are left out and counted on
    stderr (exit code 3).
    """
    from flows.outputs import must_be_writable, written_whole
    from flows.settings import object_access
    from flows.views import READ, read_view, run_view
    from sources.files import FileSource
    from transforms.views.output import Format

    if form not in set(Format):
        raise UsageError(f"--format {form!r} is not known: give {', '.join(Format)}")
    if jobs is not None and jobs < 1:
        raise UsageError(f"--jobs is {jobs}: give 1 or more")
    wanted = Format(form)
    if wanted is Format.PARQUET and out is None and sys.stdout.isatty():
        raise UsageError("Parquet is not for a terminal: give --out FILE, or another --format")
    compiled = read_view(view)
    if out is not None:
        must_be_writable(out)
    source, workers = FileSource(inputs, READ, objects=object_access), jobs or len(os.sched_getaffinity(0))
    source.partitions()  # what is wrong with the inputs is said before anything is written
    if out is None:
        report = run_view(compiled, source, wanted, sys.stdout.buffer, workers)
    else:
        with written_whole(out) as file:
            report = run_view(compiled, source, wanted, file, workers)
    if not report.read:
        typer.echo(f"clinmart: no {compiled.resource} among the lines read", err=True)
    if report.refused:
        typer.echo(f"clinmart: {report.refusals()}", err=True)
    raise SystemExit(EXIT_QUARANTINED if report.refused else EXIT_CLEAN)


@app.command("add")
@audits()
def add(
    view: ViewArgument,
    mart: Annotated[Path, typer.Option("--mart", help="The mart; made when it is not there.")],
    wait: Annotated[float, typer.Option(help="Seconds to wait for a mart that another process holds.")] = 0.0,
) -> None:
    """Make a view a table of a mart. Loads fill it from then on; files loaded before are read again for it."""
    from flows.mart_views import add_to_mart

    added = add_to_mart(view, mart, wait)
    table, kind = added.view.name, added.view.resource_type
    typer.echo(f"{table} is now a table of {mart}: load {kind} resources to fill it")
    if added.messages:
        typer.echo(
            f"clinmart: {kind} resources that HL7 v2 messages made or changed, of {added.messages:,} "
            f"file{'s' * (added.messages != 1)}, are not in it: views read FHIR JSON, and of these there is none",
            err=True,
        )


@app.command("drop")
@audits()
def drop(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of a view that was added.")],
    mart: Annotated[Path, typer.Option("--mart", help="The mart.")],
    wait: Annotated[float, typer.Option(help="Seconds to wait for a mart that another process holds.")] = 0.0,
) -> None:
    """Take a view that was added off a mart, with its table and what only it refused; other tables stay as they are."""
    from flows.mart_views import drop_from_mart

    dropped = drop_from_mart(name, mart, wait)
    rows, refused = dropped.rows, dropped.refused
    also = f", and {refused:,} line{'s' * (refused != 1)} that only it refused" if refused else ""
    typer.echo(f"{dropped.view.name} is dropped from {mart}: its table had {rows:,} row{'s' * (rows != 1)}{also}")


@app.command("check")
def check(view: ViewArgument) -> None:
    """Say whether a view is right, and what its columns are; else what is wrong with it and where."""
    from flows.views import read_view

    compiled = read_view(view)
    number = len(compiled.columns)
    typer.echo(f"the view is right: {number} column{'s' * (number != 1)} of {compiled.resource}")
    width = max(len(column.name) for column in compiled.columns)
    for column in compiled.columns:
        many = "[]" if column.collection else ""
        typer.echo(f"  {column.name:<{width}}  {column.fhir_type}{many}  ({column.duckdb_type})")


@app.command("show")
def show(table: Annotated[str, typer.Argument(help="A table of the mart, or its FHIR type.")]) -> None:
    """Print the ViewDefinition of a built-in table, to share with any SQL on FHIR runner."""
    from schemas.tables import all_tables
    from schemas.view_of_table import view_of_table

    found = next((one for one in all_tables() if table in (one.name, one.resource_type)), None)
    if found is None:
        names = [one.name for one in all_tables()]
        near = difflib.get_close_matches(table, names, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}"
        raise UsageError(f"no built-in table is called {table!r}: {hint}")
    typer.echo(json.dumps(view_of_table(found), indent=2, ensure_ascii=False))
