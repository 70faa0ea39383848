"""``clinmart fetch``."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from flows.cli import far
from schemas.errors import EXIT_DRAINED, UsageError


def fetch(
    url: Annotated[str, typer.Argument(help="The FHIR server, or its $export, with https://.")],
    out: Annotated[
        str,
        typer.Option(
            help="Folder for the files and their manifest; a new one. Or a prefix of s3://, gs://, az:// (--landing)."
        ),
    ],
    landing: Annotated[
        Path | None,
        typer.Option(help="Folder where an export is put together whole before it is moved to an object store."),
    ] = None,
    type_: far.TypesOption = None,
    type_filter: far.FilterOption = None,
    elements: far.ElementsOption = None,
    level: far.LevelOption = None,
    group: far.GroupOption = None,
    organize_output_by: far.OrganizeOption = None,
    since: far.SinceOption = None,
    client_id: far.ClientOption = None,
    key: far.KeyOption = None,
    kid: far.KidOption = None,
    jwks_url: far.JwksOption = None,
    token_url: far.TokenOption = None,
    scope: far.ScopeOption = None,
    user: far.UserOption = None,
    password_file: far.PasswordOption = None,
    allow_host: far.HostsOption = None,
    plain_http: far.PlainOption = False,
    ignore_counts: far.CountsOption = False,
    parallel: far.ParallelOption = 4,
    hours: far.HoursOption = 24.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was fetched as one JSON object.")] = False,
) -> None:
    """Fetch a Bulk Data export ($export) into a folder that `clinmart load` reads.

    Whatever interrupts it, the same command goes on where it stopped, with the same export. Exit 75: something is
    missing, the same command may get it later. With --keys or CLINMART_KEYS what lands is signed.
    """
    from flows.cli.instant import instant
    from flows.drain import draining
    from flows.export_settings import Credentials, ExportSettings, level_named
    from flows.fetch import DrainedError, run_fetch
    from flows.keyring import keys_told
    from flows.load_far import shortfall
    from sources.objects.address import is_object
    from stores.keys import open_keys

    far_out = is_object(out)
    if far_out != (landing is not None):
        raise UsageError("--landing FOLDER goes with --out s3://..., gs://... or az://..., and only with them")
    if far_out:
        from flows.land_objects import move_export, must_be_free, prefix_for

        prefix = prefix_for(out)
        must_be_free(prefix)
    folder = Path(out) if landing is None else landing
    settings = ExportSettings(
        url,
        Credentials(client_id, key, kid, token_url, scope, jwks_url, user, password_file),
        level_named(level),
        group,
        tuple(type_ or ()),
        tuple(type_filter or ()),
        tuple(elements or ()),
        organize_output_by,
        instant("--since", since),
        allowed_hosts=tuple(allow_host or ()),
        plain_http=plain_http,
        parallel=parallel,
        hours=hours,
        counts=not ignore_counts,
    )
    began = time.monotonic()
    signing = open_keys(keys_told(), folder, create=True) if keys_told() else None
    with draining(10.0) as drain:
        try:
            fetched = run_fetch(settings, folder, far.saying(quiet=as_json), drain, keys=signing)
        except DrainedError:
            typer.echo("clinmart: drained: the same command again goes on where this one stopped", err=True)
            raise SystemExit(EXIT_DRAINED) from None
    if far_out and not fetched.missing:
        move_export(folder, prefix)
    problem, seconds = shortfall(fetched), time.monotonic() - began
    size = sum(file.size for file in fetched.files)
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "status": "ok" if problem is None else "incomplete",
                    "folder": out,
                    "transaction_time": fetched.transaction_time.isoformat(),
                    "files": [
                        {
                            "name": file.path.name,
                            "section": file.listed.section,
                            "type": file.listed.type,
                            "resources": file.resources,
                            "bytes": file.size,
                            "sha256": file.sha256,
                        }
                        for file in sorted(fetched.files, key=lambda file: file.path.name)
                    ],
                    "missing": fetched.missing,
                    "errors": fetched.reported,
                    "bytes": size,
                    "seconds": round(seconds, 3),
                }
            )
        )
    else:
        resources = sum(file.resources for file in fetched.files if file.listed.section == "output")
        typer.echo(
            f"{out}: {len(fetched.files):,} files, {resources:,} resources, {size / 1e6:,.1f} MB in {seconds:.1f} s"
        )
    if problem is not None:
        typer.echo(f"clinmart: {problem}", err=True)
        raise SystemExit(problem.exit_code)
