"""``clinmart quarantine``: what was refused, and why."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from flows.cli.status import JsonOption, MartOption
from schemas.errors import UsageError

app = typer.Typer(help="See what was refused, and why.", no_args_is_help=True)


@app.command("list")
def list_(
    mart: MartOption,
    reason: Annotated[str | None, typer.Option(help="Only this reason code.")] = None,
    source: Annotated[str | None, typer.Option(help="Only this source.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many lines.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List refused lines, newest first, and how many there are by reason."""
    from stores.mart import Mart
    from stores.quarantine import by_reason, entries

    at = Mart(mart)
    at.must_exist()
    with at.connect(read_only=True) as connection:
        reasons = by_reason(connection, source)
        found = entries(connection, reason=reason, source=source, limit=limit)
    if as_json:
        typer.echo(json.dumps({"reasons": reasons, "entries": found}, default=str))
        return
    from flows.cli.show import print_rows

    print_rows("quarantine by reason", reasons)
    print_rows(f"refused lines (at most {limit})", [_short(line) for line in found])


def _short(line: Mapping[str, Any]) -> dict[str, Any]:
    """What of a refused line fits on a line; the beginning of its id is enough for `show`."""
    return {
        "id": line["quarantine_id"][:12],
        "type": line["resource_type"],
        "reason": line["reason"],
        "column": line["column_name"],
        "place": f"{line['uri'].rpartition('/')[2]}:{line['line']}",
    }


@app.command("show")
def show(
    quarantine_id: Annotated[str, typer.Argument(help="The id that `list` shows; its beginning is enough.")],
    mart: MartOption,
    raw: Annotated[bool, typer.Option("--raw", help="Only the line as received, byte for byte.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show one refused line: where it stood, what is wrong with it, and the line itself (it may hold patient data)."""
    from stores.mart import Mart
    from stores.quarantine import entry

    at = Mart(mart)
    at.must_exist()
    with at.connect(read_only=True) as connection:
        found = entry(connection, quarantine_id)
    if found is None:
        raise UsageError(f"no refused line is called {quarantine_id!r}: see clinmart quarantine list --mart {mart}")
    payload = bytes(found.pop("payload"))
    if raw:
        sys.stdout.buffer.write(payload + b"\n")
    elif as_json:
        typer.echo(json.dumps({**found, "payload": payload.decode("utf-8", "backslashreplace")}, default=str))
    else:
        for name, value in found.items():
            typer.echo(f"{name.replace('_', ' '):>15}  {'' if value is None else value}")
        typer.echo(payload.decode("utf-8", "backslashreplace"))
