"""``clinmart map``: mappings of CSV, TSV and Parquet files, drafted and tried."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import EXIT_CLEAN, EXIT_QUARANTINED, UsageError

app = typer.Typer(
    help="Mappings: what the columns of CSV, TSV and Parquet files are.", no_args_is_help=True, rich_markup_mode=None
)
_SAMPLED = 5_000  # rows that a draft looks at


@app.command("init")
def init(
    file: Annotated[Path, typer.Argument(help="A CSV, TSV or Parquet file with a header; also .gz, .zst.")],
    out: Annotated[Path | None, typer.Option(help="File to write the draft to [default: stdout].")] = None,
    table: Annotated[str | None, typer.Option(help="The table of its rows [default: what the header says].")] = None,
) -> None:
    """Draft a mapping from the header and the first rows of a file.

    What they leave open stands in comments that begin with DECIDE.
    """
    from flows.sample_file import sample_of
    from schemas.tables import all_tables
    from sources.mapping import parse_mapping
    from transforms.draft import draft

    if not file.is_file():
        raise UsageError(f"{file}: there is no such file; check the path")
    known = [one.name for one in all_tables()]
    if table is not None and table not in known:
        raise UsageError(f"--table {table!r}: there is no such table; tables are {', '.join(known)}")
    if out is not None and out.exists():
        raise UsageError(f"--out {out} is there already: name another file, or remove it first")
    dialect, sample = sample_of(file, _SAMPLED)
    text = draft(file.name, dialect, sample, table)
    parse_mapping(text.encode(), "the draft")  # a draft that is none would be our fault
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--out {out} cannot be written: {error.strerror}") from None
    asked = text.count("# DECIDE:")
    left = f", {asked} thing{'s' * (asked != 1)} to decide" if asked else ""
    typer.echo(f"{out}: a draft{left}; then clinmart map check {out} {file}")


@app.command("check")
def check(
    mapping: Annotated[Path, typer.Argument(help="The mapping, YAML.")],
    file: Annotated[Path, typer.Argument(help="A file that it is for.")],
    rows: Annotated[int, typer.Option(help="How many rows of each table to show.")] = 3,
    zone: Annotated[str | None, typer.Option(help="Zone of local times, as for a load.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show the first rows of a file as they would land, and what would be refused and why. No mart is touched.

    The rows may hold patient data.
    """
    from flows.cli.mapped import print_checked
    from flows.mapping_check import check_mapping
    from schemas.zones.names import known_zone
    from sources.mapping import read_mapping

    if rows < 0:
        raise UsageError(f"--rows is {rows}: give 0 or more")
    found = check_mapping(read_mapping(mapping), file, rows, known_zone(zone) if zone else None)
    if as_json:
        typer.echo(json.dumps(found.as_dict(), default=str, ensure_ascii=False))
    else:
        print_checked(found, file)
    raise SystemExit(EXIT_QUARANTINED if found.refused else EXIT_CLEAN)


@app.command("targets")
def targets(
    table: Annotated[str, typer.Argument(help="A table, e.g. observation.")],
) -> None:
    """List what of a table a mapping can fill, and of which kind it is."""
    from schemas.mapping import targets_of
    from schemas.tables import all_tables

    tables = {one.name: one for one in all_tables()}
    if table not in tables:
        raise UsageError(f"there is no table {table!r}; tables are {', '.join(tables)}")
    for name, target in targets_of(tables[table]).items():
        if name == target.name:
            codes = f" of {', '.join(target.codes)}" if 0 < len(target.codes) <= 20 else ""
            typer.echo(f"{name:<40} {target.value}{codes}")
