"""``clinmart retain``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.status import JsonOption
from schemas.errors import UsageError

if TYPE_CHECKING:
    from flows.retention import Retention

app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)


@app.callback()
def retain(
    context: typer.Context,
    mart: Annotated[Path | None, typer.Option("--mart", help="The mart: a DuckDB file.")] = None,
    policy: Annotated[
        Path | None, typer.Option(help="YAML: how long each class of data is kept, and what is held.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False,
    landing: Annotated[Path | None, typer.Option(help="Landing zone [default: <mart>.landing].")] = None,
    keys: Annotated[str | None, typer.Option(help="Keyring file, or kms:KEY_ID [default: <mart>.keys].")] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for a mart that another process holds.")] = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Take out of a mart, and of the folders beside it, what is older than a policy keeps it.

    The policy's holds are kept with the mart: nobody who is held can be erased.
    """
    if context.invoked_subcommand is not None:
        return
    if mart is None or policy is None:
        raise UsageError(f"{'--mart' if mart is None else '--policy'} is missing: name both the mart and the policy")
    from flows.retention import retain as apply
    from sources.retention import read_policy

    done = apply(mart, read_policy(policy), dry_run=dry_run, landing=landing, keys=keys, wait=wait)
    if as_json:
        typer.echo(json.dumps(done.as_dict()))
    else:
        _show(done)


@app.command("token")
def token(
    mart: Annotated[Path, typer.Option("--mart", help="The mart: a DuckDB file.")],
    patients: Annotated[Path, typer.Option(help="A file with one SOURCE:ID a line; - reads them from stdin.")],
    keys: Annotated[str | None, typer.Option(help="Keyring file, or kms:KEY_ID [default: <mart>.keys].")] = None,
    as_json: JsonOption = False,
) -> None:
    """Print for each patient the token by which a policy holds that patient."""
    from flows.cli.people import people_asked
    from flows.keyring import keys_of
    from schemas.suppression import PERSON
    from schemas.suppression import token as token_of
    from stores.keys import Purpose

    asked = people_asked(patients, ())
    if any(one.id is None or one.source is None for one in asked):
        raise UsageError("a token is of a patient of one source: give SOURCE:ID on each line")
    key = keys_of(mart, keys, create=True).current(Purpose.SUPPRESS)
    tokens = [token_of(key.secret, one.source or "", PERSON, one.id or "").hex() for one in asked]
    typer.echo(json.dumps({"tokens": tokens}) if as_json else "\n".join(tokens))


def _show(done: Retention) -> None:
    from flows.cli.show import print_rows

    rows = [
        {"class": of, "before": done.before[of], "from": table, "rows": count}
        for of, tables in done.rows.items()
        for table, count in tables.items()
    ]
    rows += [
        {"class": of, "before": done.before[of], "from": path, "rows": ""}
        for of, paths in done.files.items()
        for path in paths
    ]
    print_rows("would go" if done.status == "dry run" else "gone", rows)
    for note in done.notes:
        typer.echo(f"clinmart: {note}", err=True)
    if done.status == "dry run":
        typer.echo("dry run: nothing was changed")
