"""``clinmart status`` and ``clinmart publish``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.audits import audits
from schemas.errors import UsageError

MartOption = Annotated[Path, typer.Option("--mart", help="The mart: a DuckDB file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@audits("status", looks=True, required=False)
def status(mart: MartOption, as_json: JsonOption = False) -> None:
    """Show what a mart holds: tables, sources, the last loads and what is in quarantine."""
    from flows.keyring import mart_at
    from stores.overview import overview

    at = mart_at(mart)
    at.must_exist()
    with at.connect(read_only=True) as connection:
        found = overview(connection)
    if as_json:
        typer.echo(json.dumps(found, default=str))
        return
    from flows.cli.show import print_rows

    print_rows("tables", found["tables"])
    print_rows("deleted", found["deleted"])
    print_rows("sources", found["sources"])
    print_rows("last loads", [_short(load) for load in found["loads"]])
    if found["listeners"]:
        print_rows("listeners", found["listeners"])
    if found["erasures"]:
        print_rows("erasures (pending: run clinmart erase again)", found["erasures"])
    if found["consumers"]:
        print_rows("consumers", found["consumers"])
    print_rows("quarantine", found["quarantine"])


def _short(load: Mapping[str, Any]) -> dict[str, Any]:
    """What of a load fits on a line; its name begins with its time."""
    told = {name: load[name] for name in ("load_id", "source", "status", "read", "quarantined")}
    return told | {"MB": round(load["bytes"] / 1e6, 1), "seconds": load["seconds"]}


@audits("publish")
def publish(
    mart: MartOption,
    to: Annotated[str, typer.Option("--to", help="What to write: parquet.")],
    folder: Annotated[
        str,
        typer.Argument(
            help="The folder that will hold one file a table; replaced as a whole. Or a prefix of s3://, gs://, az://."
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Write the tables as Parquet, atomically: readers see the old folder or the new one, never half of it.

    Those of an encrypted mart are encrypted. The files are yours alone; give the folder another mode, and the next ones
    have it too.
    """
    if to != "parquet":
        raise UsageError(f"--to {to!r} is not known: give parquet")
    from flows.keyring import keys_of, mart_at
    from schemas.tables import all_tables
    from sources.objects.address import ObjectAddress, is_object
    from stores.keys import Purpose
    from stores.publish import publish_parquet
    from stores.published_to import note_published

    at = mart_at(mart)
    at.must_exist()
    far = is_object(folder)
    if far:
        ObjectAddress.parse(folder)
    key = keys_of(mart).current(Purpose.DATABASE) if at.is_encrypted else None
    with at.connect(read_only=True) as connection:
        if far:
            from flows.publish_objects import publish_objects

            rows = publish_objects(connection, folder, all_tables(), key, mart)
        else:
            rows = publish_parquet(connection, Path(folder), all_tables(), key, mart)
    note_published(mart, folder if far else str(Path(folder).absolute()))
    if as_json:
        typer.echo(json.dumps({"folder": folder, "tables": rows}))
    else:
        typer.echo(f"{sum(rows.values()):,} rows of {len(rows)} tables in {folder}")
