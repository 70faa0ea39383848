"""``clinmart audit``: what was done to a mart, and whether the record of it is whole."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.status import JsonOption, MartOption
from schemas.errors import IntegrityError, UsageError

app = typer.Typer(help="The audit trail: verify it, export it, prove what is in it.", no_args_is_help=True)


@app.command("verify")
def verify(
    mart: MartOption,
    checkpoints: Annotated[
        str | None,
        typer.Option(
            "--checkpoints",
            help="Where copies of checkpoints are: a folder or s3://BUCKET/PREFIX [default: as they "
            "are kept by CLINMART_AUDIT_COPY].",
        ),
    ] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for a mart that another process holds.")] = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Check every record, signature and commit, and that the mart has the versions that were loaded and no others.

    Exit code 4 when something was altered, taken away or added; the first bad record is named.
    """
    from flows.audit_check import verify as check

    found = check(mart, checkpoints, wait=wait)
    if as_json:
        typer.echo(json.dumps(found.as_dict()))
    else:
        told = f"{len(found.chain.hashes):,} records in {found.chain.segments:,} files, {found.here:,} checkpoints"
        told += "" if found.copies is None else f", {found.copies:,} copies of checkpoints"
        if found.proved is not None:
            told += f"; {found.proved.commits:,} commits and {found.proved.versions:,} versions of the mart"
        typer.echo(f"audit trail of {mart}: {told}")
    for fault in found.faults:
        typer.echo(f"clinmart: {fault}", err=True)
    if found.faults:
        raise SystemExit(IntegrityError.exit_code)


@app.command("export")
def export(
    mart: MartOption,
    form: Annotated[str, typer.Option("--format", help="csv, or fhir: AuditEvents of FHIR R4 as NDJSON.")] = "csv",
    out: Annotated[Path | None, typer.Option("--out", help="Write to this file instead of stdout.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write all records for another program; that it was done is on record."""
    from flows.audit_check import records_of
    from flows.auditing import note
    from stores.audit.export import csv_lines, fhir_lines

    if form not in ("csv", "fhir"):
        raise UsageError(f"--format {form!r} is not known: give csv or fhir")
    if as_json and out is None:
        raise UsageError("--json tells what was written: give --out FILE for the records")
    note(mart, "audit.export", where={"format": form}, required=False)
    trail, records = records_of(mart)
    lines = csv_lines(records) if form == "csv" else fhir_lines(records, trail)
    if out is None:
        sys.stdout.writelines(lines)
        return
    from flows.outputs import written_whole

    with written_whole(str(out)) as file:
        file.writelines(line.encode() for line in lines)
    if as_json:
        typer.echo(json.dumps({"file": str(out), "format": form, "records": len(records)}))
    else:
        typer.echo(f"{len(records):,} records in {out}")


@app.command("prove")
def prove(
    mart: MartOption,
    number: Annotated[int | None, typer.Argument(metavar="[NUMBER]", help="The record to prove.")] = None,
    since: Annotated[int | None, typer.Option(help="Prove that the trail grew from its first so many records.")] = None,
    size: Annotated[int | None, typer.Option(help="In the tree of the first so many records [default: all].")] = None,
) -> None:
    """Print a Merkle proof (RFC 6962) as JSON: that a record is in the trail, or that the trail only grew."""
    from flows.audit_proof import prove as made

    typer.echo(json.dumps(made(mart, number, since, size)))


@app.command("restart")
def restart(
    mart: MartOption,
    reason: Annotated[str, typer.Option("--reason", help="Why: one line, no name or number of a patient.")],
    wait: Annotated[float, typer.Option(help="Seconds to wait for a mart that another process holds.")] = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Set a broken or missing trail aside and begin another, which tells who did so and why.

    The old one stays, under another name; copies of its checkpoints go on telling of it.
    """
    from flows.audit_restart import restart as begin

    aside = begin(mart, reason, wait=wait)
    if as_json:
        typer.echo(json.dumps({"status": "ok", "aside": str(aside) if aside else None}))
    else:
        typer.echo(f"a new audit trail of {mart} is begun" + (f"; the old one is {aside}" if aside else ""))
