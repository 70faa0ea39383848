"""``clinmart``: the command line. Imports here stay light; each command brings in what it needs when it runs."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from flows.cli import load, quarantine, status, synth
from schemas.errors import ClinmartError

app = typer.Typer(
    name="clinmart",
    help="Load clinical data (FHIR NDJSON, Bundles, $export folders) into a DuckDB mart that you query with SQL.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)
app.command("load")(load.load)
app.command("status")(status.status)
app.command("publish")(status.publish)
app.command("synth")(synth.synth)
app.add_typer(quarantine.app, name="quarantine")


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.", is_eager=True)] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(installed("clinmart"))
        raise typer.Exit


def main() -> None:
    """Run the command line; errors that users can mend are one line on stderr and an exit code."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    try:
        app()
    except ClinmartError as error:
        if "--json" in sys.argv:
            typer.echo(json.dumps({"status": "failed", "error": str(error), "exit_code": error.exit_code}))
        typer.echo(f"clinmart: {error}", err=True)
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:
        # The reader of our output left; nothing is wrong with us.
        sys.stderr.close()
        raise SystemExit(0) from None
    except Exception as error:  # a traceback may show values of patients, so only its place is printed
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


if __name__ == "__main__":
    main()
