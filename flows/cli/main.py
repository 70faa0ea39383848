"""``clinmart``: the command line. Imports here stay light; each command brings in what it needs when it runs."""

from __future__ import annotations

import atexit
import gc
import json
import logging
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from flows.cli import (
    audit,
    consume,
    deidentify,
    erase,
    fetch,
    key,
    lineage,
    listen,
    load,
    mapping,
    quarantine,
    refresh,
    repair,
    report,
    retain,
    status,
    synth,
    units,
    view,
)
from flows.cli.keys_option import give_keys, with_keys
from flows.masking import mask_logs
from flows.private import keep_private
from schemas.errors import ClinmartError, UsageError

# Modules, models and queries are made once and stay: to look through them for rubbish every 700 objects, as Python
# does, takes nearly a tenth of a small load.
_OBJECTS = 50_000

app = typer.Typer(
    name="clinmart",
    help="Load clinical data (FHIR, HL7 v2, C-CDA, CSV and Parquet) into a DuckDB mart that you query with SQL.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)
app.command("load")(load.load)
app.command("fetch")(with_keys(fetch.fetch))
app.command("listen")(listen.listen)
app.command("consume")(consume.consume)
app.command("status")(status.status)
app.command("refresh")(refresh.refresh)
app.command("report")(report.report)
app.command("publish")(status.publish)
app.command("deidentify")(deidentify.deidentify)
app.command("lineage")(lineage.lineage)
app.command("repair")(repair.repair)
app.command("synth")(synth.synth)
app.add_typer(erase.app, name="erase")
app.add_typer(retain.app, name="retain")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(view.app, name="view")
app.add_typer(mapping.app, name="map")
app.add_typer(key.app, name="key")
app.add_typer(audit.app, name="audit")
app.add_typer(units.app, name="units")
give_keys(app)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version as installed

        typer.echo(installed("clinmart"))
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    otlp: Annotated[
        str | None, typer.Option(help="Send spans and metrics to this OTLP/HTTP receiver, e.g. http://127.0.0.1:4318.")
    ] = None,
    metrics_listen: Annotated[
        str | None, typer.Option(help="Let Prometheus ask for metrics at [HOST:]PORT [default host: this machine].")
    ] = None,
    metrics_file: Annotated[
        Path | None, typer.Option(help="Write metrics into this file at the end, for the textfile collector.")
    ] = None,
    version: Annotated[  # noqa: ARG001 - its callback does it
        bool, typer.Option("--version", help="Print the version and leave.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Options of every command, before its name. Without them nothing is told to anybody."""
    if otlp or metrics_listen or metrics_file:
        from flows.telemetry import TelemetryOptions, telemetry

        options = TelemetryOptions(otlp, metrics_listen, metrics_file)
        context.with_resource(telemetry(options, context.invoked_subcommand or "help"))


def main() -> None:
    """Run the command line; errors that users can mend are one line on stderr and an exit code."""
    keep_private()
    gc.set_threshold(_OBJECTS, *gc.get_threshold()[1:])
    codes: list[int] = []
    if getattr(sys.modules["__main__"], "main", None) is main:  # the process is this command's, not a test's
        atexit.register(_end, codes)  # now, so that it runs after whatever else is to be done at the end
    try:
        _run()
    except SystemExit as left:
        codes.append(left.code if isinstance(left.code, int) else int(left.code is not None))
        raise


def _end(codes: list[int]) -> None:
    """End the process at once: marts are closed, and to look through all objects for rubbish takes nearly half a
    second.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        return  # Python says what it has to say of it
    if codes:
        os._exit(codes[-1])


def _run() -> None:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    mask_logs()
    try:
        code = app(standalone_mode=False)
    except ClinmartError as error:
        raise _failed(str(error), error.exit_code) from None
    except BrokenPipeError:
        # The reader of our output left; nothing is wrong with us.
        sys.stderr.close()
        raise SystemExit(0) from None
    except Exception as error:  # a traceback may show values of patients, so only its place is printed
        mistyped = getattr(error, "format_message", None)  # typer's usage errors have no public base class
        if mistyped is not None:
            raise _mistyped(mistyped()) from None
        from flows.settings import environment

        if environment("TRACEBACK", ""):
            raise
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}:{last.lineno}"
        typer.echo(
            f"clinmart: internal error {type(error).__name__} at {place}: nothing half done is in the mart; "
            "CLINMART_TRACEBACK=1 shows the traceback, which may hold patient data",
            err=True,
        )
        raise SystemExit(1) from None
    raise SystemExit(code if isinstance(code, int) else 0)


def _mistyped(said: str) -> SystemExit:
    """A command that is no command, in one line; a command without its arguments shows its help."""
    if "\n" in said.strip():
        typer.echo(said, err=True)
        return SystemExit(UsageError.exit_code)
    return _failed(f"{said.strip().rstrip('.')}: see --help", UsageError.exit_code)


def _failed(said: str, code: int) -> SystemExit:
    if "--json" in sys.argv:
        typer.echo(json.dumps({"status": "failed", "error": said, "exit_code": code}))
    typer.echo(f"clinmart: {said}", err=True)
    return SystemExit(code)


if __name__ == "__main__":
    main()
