"""``clinmart lineage``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from flows.cli.audits import audits
from flows.cli.status import JsonOption, MartOption
from schemas.errors import UsageError


@audits("lineage", looks=True, required=False)
def lineage(
    what: Annotated[str, typer.Argument(metavar="TABLE[.COLUMN]", help="E.g. observation, patient.birth_date.")],
    mart: MartOption,
    row: Annotated[str | None, typer.Option(help="Id of a row: find the file and line that it was made of.")] = None,
    source: Annotated[str | None, typer.Option(help="Only what this source sent.")] = None,
    format_: Annotated[str, typer.Option("--format", help="text, mermaid, dot or json.")] = "text",
    as_json: JsonOption = False,
) -> None:
    """Show the way back from a table, a column or a row: element of FHIR, resource type, files, line.

    With --row the files of the row's load are read again, and a line is named only when its bytes have the row's hash.
    """
    from flows.keyring import mart_at
    from flows.lineage.draw import DRAWN
    from flows.lineage.way_back import way_back

    if format_ not in ("json", *DRAWN):
        raise UsageError(f"--format {format_!r} is not known: give text, mermaid, dot or json")
    at = mart_at(mart)
    at.must_exist()
    table, _, column = what.partition(".")
    found = way_back(at, table, column or None, row, source)
    typer.echo(json.dumps(found.as_dict()) if as_json or format_ == "json" else DRAWN[format_](found))
