"""``clinmart repair``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from flows.cli.audits import audits
from flows.cli.status import JsonOption, MartOption
from schemas.errors import EXIT_CLEAN, EXIT_DRAINED, IntegrityError


@audits("repair")
def repair(
    mart: MartOption,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Forget lost commits whose files are gone or changed.")
    ] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait for a mart that another process holds.")] = 0.0,
    grace: Annotated[
        float, typer.Option(help="Seconds that the repair has to commit what it read after SIGTERM or Ctrl-C.")
    ] = 30.0,
    as_json: JsonOption = False,
) -> None:
    """Bring back what a mart lost, by a damaged log or an old copy put back: its files are loaded again.

    A damaged log is kept beside the mart. Exit code 0 when nothing is lost any more, 4 when files are gone or changed.
    """
    from flows.cli.progress import watching
    from flows.drain import draining
    from flows.repair import repair as mend

    with draining(grace) as drain, watching(quiet=as_json) as watch:
        done = mend(mart, wait=wait, accept_loss=accept_loss, watch=watch, drain=drain)
    if as_json:
        typer.echo(json.dumps(done.as_dict()))
    else:
        if done.wal:
            typer.echo(f"the damaged log is kept as {done.wal}")
        if not done.lost and not done.messages:
            typer.echo(f"the mart {mart} has lost nothing")
        elif done.lost:
            forgotten = f", {done.forgotten:,} forgotten" if done.forgotten else ""
            typer.echo(f"{done.lost:,} lost commits: {done.replayed:,} replayed{forgotten}")
    if done.again and not as_json:
        typer.echo(f"lost, and made of no file: run {' and '.join(done.again)} --mart {mart} again")
    for told in done.resend if not as_json else ():
        typer.echo(f"lost: {told}; have their senders send them again")
    for fault in done.missing:
        typer.echo(f"clinmart: {fault}", err=True)
    if done.status == "drained":
        typer.echo("clinmart: drained: the same command again goes on where this one stopped", err=True)
        raise SystemExit(EXIT_DRAINED)
    if done.status == "failed":
        back = "put these files back and run it again, or " if done.missing else ""
        typer.echo(f"clinmart: {back}give --accept-loss to go on without what is lost", err=True)
        raise SystemExit(IntegrityError.exit_code)
    raise SystemExit(EXIT_CLEAN)
