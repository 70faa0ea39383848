"""``clinmart erase``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.people import people_asked
from flows.cli.status import JsonOption
from schemas.errors import EXIT_CLEAN, StorageError, UsageError

if TYPE_CHECKING:
    from flows.erase import Erasure

app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)


@app.callback()
def erase(
    context: typer.Context,
    mart: Annotated[Path | None, typer.Option("--mart", help="The mart: a DuckDB file.")] = None,
    patients: Annotated[
        Path | None,
        typer.Option(
            help="A file with one person a line: ID, SOURCE:ID or SYSTEM|VALUE; - reads them from stdin. So no id "
            "stands in the history of a shell."
        ),
    ] = None,
    patient: Annotated[list[str] | None, typer.Option(help="[SOURCE:]ID of a Patient.")] = None,
    identifier: Annotated[list[str] | None, typer.Option(help="SYSTEM|VALUE of an identifier of a Patient.")] = None,
    reason: Annotated[
        str | None, typer.Option(help="Why; kept with the mart and in the certificate. Name nobody.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would go.")] = False,
    certificate: Annotated[Path | None, typer.Option(help="Write the signed certificate to this file.")] = None,
    even_if_unknown: Annotated[
        bool, typer.Option("--even-if-unknown", help="Keep out of later loads also who is not in the mart (SOURCE:ID).")
    ] = False,
    despite_hold: Annotated[bool, typer.Option("--despite-hold", help="Erase also who is under legal hold.")] = False,
    landing: Annotated[Path | None, typer.Option(help="Landing zone [default: <mart>.landing].")] = None,
    keys: Annotated[str | None, typer.Option(help="Keyring file, or kms:KEY_ID [default: <mart>.keys].")] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for a mart that another process holds.")] = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Take people out of a mart, and of all files beside it, and keep them out of later loads.

    Exit code 0 when nothing of them is left, 5 when something is, which is named by its place.
    """
    if context.invoked_subcommand is not None:
        return
    if mart is None:
        raise UsageError("--mart is missing: name the mart to take people out of")
    if not reason and not dry_run:
        raise UsageError("--reason is missing: say why these people are erased, without naming anybody")
    from flows.erase import EraseRequest
    from flows.erase import erase as take_out

    asked = people_asked(patients, patient or (), identifier or ())
    if certificate is not None and not certificate.absolute().parent.is_dir():
        raise UsageError(f"--certificate: there is no folder {certificate.absolute().parent}")
    request = EraseRequest(
        mart,
        asked,
        reason or "",
        dry_run=dry_run,
        even_if_unknown=even_if_unknown,
        despite_hold=despite_hold,
        landing=landing,
        keys=keys,
        wait=wait,
    )
    done = take_out(request)
    if certificate is not None and done.certificate:
        try:
            certificate.write_text(done.certificate + "\n")
        except OSError as error:
            raise StorageError(
                f"the people are erased, but {certificate} cannot be written ({error.strerror}): it stands "
                "in etl.erasure"
            ) from None
    if as_json:
        typer.echo(json.dumps(done.as_dict()))
    else:
        _show(done)
    raise SystemExit(StorageError.exit_code if done.residue.found else EXIT_CLEAN)


@app.command("verify")
def verify(
    certificate: Annotated[Path, typer.Argument(help="A certificate that clinmart erase wrote.")],
    mart: Annotated[Path | None, typer.Option("--mart", help="The mart whose keyring must have signed it.")] = None,
    keys: Annotated[str | None, typer.Option(help="Keyring file, or kms:KEY_ID, that must have signed it.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Check that a certificate is as it was signed. Exit code 4 when it is not.

    Without --mart or --keys only its own public key is known, so it is shown to be whole, not whose it is.
    """
    from flows.erasing.certificate import verify as check
    from flows.keyring import keys_of

    known = keys_of(mart or Path("mart"), keys) if mart is not None or keys is not None else None
    told = check(certificate, known)
    if as_json:
        typer.echo(json.dumps({"status": "ok", "signer": "keyring" if known else "unknown", "certificate": told}))
        return
    whose = "by this keyring" if known else f"by the key {told['public_key'][:16]}...: give --mart to know whose it is"
    typer.echo(f"{told['erasure_id']}: {told['people']:,} people, {told['status']}; signed {whose}")


def _show(done: Erasure) -> None:
    from flows.cli.show import print_rows

    rows = [{"table": name, "removed": n, "mended": done.mended.get(name, 0)} for name, n in done.removed.items()]
    rows += [{"table": n, "removed": 0, "mended": m} for n, m in done.mended.items() if n not in done.removed]
    print_rows(f"{done.people} people" + (f", {done.unknown} unknown" if done.unknown else ""), rows)
    if done.status == "dry run":
        typer.echo("dry run: nothing was changed")
        return
    for name in done.inputs:
        typer.echo(f"left alone, for it is yours: {name}", err=True)
    typer.echo(
        f"{done.erasure_id}: {done.landing.lines} landed lines, {len(done.files_removed)} files removed, "
        f"{len(done.published)} folders published anew, {done.tokens} tokens on the list"
    )
    for place in done.residue.found:
        typer.echo(f"clinmart: something of them is left in {place}", err=True)
