"""``clinmart key``: the keys that sign, mask, wrap and encrypt."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.audits import audits
from flows.cli.status import JsonOption, MartOption
from schemas.errors import UsageError

if TYPE_CHECKING:
    from stores.keys import KeyFacts, Keys, Purpose

PurposeArgument = Annotated[
    str, typer.Argument(metavar="PURPOSE", help="sign, mask, pseudonym, audit, wrap or database.")
]

_SHOWN = ("key_id", "purpose", "made_at", "state")

app = typer.Typer(help="The keys of a mart: make, list, rotate, destroy.", no_args_is_help=True)


@app.command("init")
@audits("key.init")
def init(mart: MartOption, as_json: JsonOption = False) -> None:
    """Make a keyring with a key for each purpose; one that is there stays as it is."""
    from flows.keyring import keys_told
    from stores.keys import open_keys

    _print(open_keys(keys_told(), mart, create=True), as_json)


@app.command("list")
def list_(mart: MartOption, as_json: JsonOption = False) -> None:
    """Show the keys without their secrets."""
    from flows.keyring import keys_of

    _print(keys_of(mart), as_json)


@app.command("rotate")
@audits("key.rotate", where=("purpose",))
def rotate(purpose: PurposeArgument, mart: MartOption, as_json: JsonOption = False) -> None:
    """Make a new key for a purpose. The old ones go on verifying and opening what they made."""
    from flows.keyring import keys_of

    wanted = _purpose(purpose)
    ring = keys_of(mart)
    made = ring.rotate(wanted)
    _tell(next(facts for facts in ring.describe() if facts.key_id == made.key_id), as_json)


@app.command("destroy")
@audits("key.destroy", where=("key_id",))
def destroy(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="As clinmart key list shows it.")],
    mart: MartOption,
    yes: Annotated[bool, typer.Option("--yes", help="Do it: what only this key opens is lost for good.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Destroy a key that is not the current one of its purpose. What it alone opens can never be read again."""
    from flows.keyring import keys_of

    if not yes:
        raise UsageError(f"what only {key_id[:60]} opens would be lost for good: give --yes to destroy it")
    _tell(keys_of(mart).destroy(key_id), as_json)


def _purpose(given: str) -> Purpose:
    from stores.keys import Purpose

    try:
        return Purpose(given)
    except ValueError:
        raise UsageError(f"there is no purpose {given[:60]!r}: give one of {', '.join(Purpose)}") from None


def _print(keys: Keys, as_json: bool) -> None:
    found = keys.describe()
    if as_json:
        typer.echo(json.dumps({"keys": keys.where, "found": [_row(facts) for facts in found]}))
        return
    from flows.cli.show import print_rows

    print_rows(keys.where, [{name: getattr(facts, name) for name in _SHOWN} for facts in found])


def _tell(facts: KeyFacts, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_row(facts)))
    else:
        typer.echo(f"{facts.key_id}: {facts.state}")


def _row(facts: KeyFacts) -> dict[str, object]:
    return {name: value for name, value in asdict(facts).items() if value is not None}
