"""``clinmart quarantine``: what was refused, and why."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.audits import audits
from flows.cli.status import JsonOption, MartOption
from schemas.errors import EXIT_CLEAN, EXIT_QUARANTINED, UsageError

app = typer.Typer(help="See what was refused, and why; run it again.", no_args_is_help=True)


@app.command("list")
@audits("quarantine.list", looks=True, required=False)
def list_(
    mart: MartOption,
    reason: Annotated[str | None, typer.Option(help="Only this reason code.")] = None,
    source: Annotated[str | None, typer.Option(help="Only this source.")] = None,
    state: Annotated[str | None, typer.Option(help="Only lines that are open, dead, replayed or replaced.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many lines.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List refused lines, newest first, and how many there are by reason."""
    from flows.keyring import mart_at
    from stores.quarantine import by_reason, entries

    at = mart_at(mart)
    at.must_exist()
    with at.connect(read_only=True) as connection:
        reasons = by_reason(connection, source)
        found = entries(connection, reason=reason, source=source, state=state, limit=limit)
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
        "state": line["state"],
        "place": f"{line['uri'].rpartition('/')[2]}:{line['line']}",
    }


@app.command("replay")
@audits()
def replay(
    mart: MartOption,
    reason: Annotated[str | None, typer.Option(help="Only this reason code.")] = None,
    since: Annotated[str | None, typer.Option(help="Only lines refused since, e.g. 2026-01-31T00:00:00Z.")] = None,
    source: Annotated[str | None, typer.Option(help="Only this source.")] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many lines, the oldest first.")] = None,
    attempts: Annotated[int, typer.Option(help="Give a line up (dead) when it was refused so often again.")] = 5,
    dead: Annotated[bool, typer.Option("--dead", help="Run lines again that were given up, too.")] = False,
    sample: Annotated[float, typer.Option(help="Share of rows that fhir.resources checks too, as for a load.")] = 0.01,
    preferred_units: Annotated[
        Path | None, typer.Option(help="CSV with columns loinc, ucum, as for the load of these lines.")
    ] = None,
    zone: Annotated[str | None, typer.Option(help="Zone of local times, as for the load of these lines.")] = None,
    charset: Annotated[
        str | None, typer.Option(help="Character set of HL7 v2 messages that name none, as for their load.")
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(help="What the columns of extracts are, YAML [default: as the last load was told]."),
    ] = None,
    crosswalk: Annotated[
        list[Path] | None,
        typer.Option(help="ConceptMap or CSV that maps codes, as for the load of these lines; may be given again."),
    ] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for a mart that another process holds.")] = 0.0,
    prefect: Annotated[
        bool, typer.Option("--prefect", help="Run as the Prefect flow `reconcile`, so that it shows in the Prefect UI.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run refused lines again through today's checks.

    What passes goes into the tables, as if it had passed at first; what does not is kept with today's reason, and given
    up after some attempts.
    """
    from flows.cli.instant import instant
    from flows.cli.replayed import print_replay
    from flows.replay import run_replay
    from flows.settings import LoadSettings
    from sources.crosswalks import read_crosswalk
    from sources.mapping import read_mapping
    from stores.replays import Selection
    from transforms.sample import Sampling

    sampling = Sampling(sample)
    settings = LoadSettings(
        mart,
        source or "any",
        sampling=sampling,
        wait=wait,
        zone=zone,
        charset=charset,
        mapping=read_mapping(mapping) if mapping else None,
        preferred_units=preferred_units,
        crosswalk=read_crosswalk(crosswalk or ()),
    )
    selection = Selection(reason, instant("--since", since), source, limit, dead)
    if prefect:
        from flows.reconcile import replay_with_prefect

        found = replay_with_prefect(settings, selection, attempts)
    else:
        found = run_replay(settings, selection, attempts).as_dict()
    if as_json:
        typer.echo(json.dumps(found))
    else:
        print_replay(found, mart)
    if found["dead"]:
        typer.echo(
            f"clinmart: {found['dead']} line{'s' * (found['dead'] != 1)} given up (dead), refused {attempts} times: "
            f"see clinmart quarantine list --state dead --mart {mart}",
            err=True,
        )
    raise SystemExit(EXIT_CLEAN if found["status"] == "ok" else EXIT_QUARANTINED)


@app.command("show")
@audits("quarantine.show", looks=True, where=("quarantine_id",))
def show(
    quarantine_id: Annotated[str, typer.Argument(help="The id that `list` shows; its beginning is enough.")],
    mart: MartOption,
    raw: Annotated[bool, typer.Option("--raw", help="Only the bytes of the line as received, to edit them.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show one refused line: where it stood, what is wrong with it, and the line itself (it may hold patient data)."""
    from flows.keyring import mart_at
    from stores.quarantine import entry

    at = mart_at(mart)
    at.must_exist()
    with at.connect(read_only=True) as connection:
        found = entry(connection, quarantine_id)
    if found is None:
        raise UsageError(f"no refused line is called {quarantine_id!r}: see clinmart quarantine list --mart {mart}")
    payload = bytes(found.pop("payload"))
    if raw:
        sys.stdout.buffer.write(payload)
    elif as_json:
        typer.echo(json.dumps({**found, "payload": payload.decode("utf-8", "backslashreplace")}, default=str))
    else:
        for name, value in found.items():
            typer.echo(f"{name.replace('_', ' '):>15}  {'' if value is None else value}")
        typer.echo(payload.decode("utf-8", "backslashreplace"))
