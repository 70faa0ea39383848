"""``clinmart load``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import far
from flows.cli.audits import audits
from schemas.errors import (
    EXIT_CLEAN,
    EXIT_DRAINED,
    EXIT_QUARANTINED,
    ClinmartError,
    IntegrityError,
    TryAgainError,
    UsageError,
)
from schemas.formats import Format
from schemas.lateness import LatePolicy

if TYPE_CHECKING:  # help is there at once, without what reports need
    from schemas.records import LoadReport


@audits()
def load(
    mart: Annotated[Path, typer.Option(help="The mart: a DuckDB file, made when it is not there.")],
    source: Annotated[str, typer.Option(help="Name of the source; rows of different sources never mix.")],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Files, folders or globs, also of object stores (s3://, gs://, az://): NDJSON, Bundles, $export "
            "folders, HL7 v2, C-CDA, CSV; also .gz, .zst. Or one https:// address of a FHIR server, whose $export is "
            "loaded."
        ),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            help="Time of rows that carry none, e.g. 2026-01-31T00:00:00Z [default: the manifest's, else now]."
        ),
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", help="What the files hold; auto tells it by their first bytes.")
    ] = Format.AUTO,
    mapping: Annotated[
        Path | None,
        typer.Option(help="What the columns of CSV, TSV, Parquet are, YAML; needs --format extract. See clinmart map."),
    ] = None,
    to_fhir: Annotated[
        Path | None, typer.Option(help="Folder to write the FHIR resources to that files of other formats become.")
    ] = None,
    charset: Annotated[
        str | None, typer.Option(help="Character set of HL7 v2 messages that name none, e.g. 8859/1 [default: UTF-8].")
    ] = None,
    routes: Annotated[
        Path | None,
        typer.Option(help="Rules, YAML, that say by their header where HL7 v2 messages belong; needs --format hl7v2."),
    ] = None,
    zone: Annotated[
        str | None,
        typer.Option(
            help="Zone of local times, e.g. Europe/Berlin, in formats that allow them. FHIR does not, so it changes "
            "nothing there."
        ),
    ] = None,
    sample: Annotated[
        float, typer.Option(help="Share of rows that fhir.resources checks too; 1 checks all and quarantines by it.")
    ] = 0.01,
    deletes: Annotated[
        list[str] | None,
        typer.Option(
            help="File of deletes: Bundles of DELETE entries, or CSV lines resource_type,id[,last_updated]; repeatable."
        ),
    ] = None,
    late_policy: Annotated[
        LatePolicy,
        typer.Option(help="Rows whose meta.lastUpdated is behind the event watermark: take, refuse or drop them."),
    ] = LatePolicy.MERGE,
    lateness: Annotated[
        str, typer.Option(help="How far a row may be behind the newest of its type without being late, e.g. 36h, 2d.")
    ] = "0",
    preferred_units: Annotated[
        Path | None,
        typer.Option(help="CSV with columns loinc, ucum: units of your choice, before the project's."),
    ] = None,
    replaces: Annotated[
        str | None,
        typer.Option(help="Id of a refused line that the one line to load corrects: see `clinmart quarantine`."),
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Worker threads [default: one per processor].")] = None,
    crosswalk: Annotated[
        list[Path] | None,
        typer.Option(help="Map codes by this file, a ConceptMap in JSON or CSV; may be given several times."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Load all or nothing: one refused line rolls everything back.")
    ] = False,
    require_signed: Annotated[
        bool, typer.Option("--require-signed", help="Refuse folders of files that no key of this mart signed.")
    ] = False,
    encrypt: Annotated[
        bool, typer.Option("--encrypt", help="Make a new mart encrypted, by a key of its keyring; see clinmart key.")
    ] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait for a mart that another process holds.")] = 0.0,
    grace: Annotated[
        float, typer.Option(help="Seconds that a load has to commit what it read after SIGTERM or Ctrl-C.")
    ] = 30.0,
    type_: far.TypesOption = None,
    type_filter: far.FilterOption = None,
    elements: far.ElementsOption = None,
    level: far.LevelOption = None,
    group: far.GroupOption = None,
    organize_output_by: far.OrganizeOption = None,
    since: far.SinceOption = None,
    full: far.FullOption = False,
    overlap: far.OverlapOption = "10m",
    landing: far.LandingOption = None,
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
    lineage: Annotated[
        str | None,
        typer.Option(help="File or address that OpenLineage events about the load go to [default: CLINMART_LINEAGE]."),
    ] = None,
    prefect: Annotated[
        bool, typer.Option("--prefect", help="Run as a Prefect flow, so that it shows in the Prefect UI.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Load clinical data into a mart.

    Every line read is applied, superseded, duplicate, quarantined or suppressed; the report says how many. Lines
    that are
    refused are kept with their reason: see `clinmart quarantine`. Loading the same files again changes nothing.
    """
    from flows.cli.instant import instant
    from flows.settings import LoadSettings, duration, must_be_local, object_access
    from sources.crosswalks import read_crosswalk
    from sources.files import refuse_tables
    from sources.mapping import read_mapping
    from sources.routes import read_routes
    from transforms.sample import Sampling

    alone = {"--mart": mart, "--mapping": mapping, "--to-fhir": to_fhir, "--routes": routes, "--landing": landing}
    alone |= {"--preferred-units": preferred_units, "--key": key}
    for option, path in alone.items():
        must_be_local(option, path)
    must_be_local("--crosswalk", *(crosswalk or ()))
    settings = LoadSettings(
        mart=mart,
        source=source,
        as_of=instant("--as-of", as_of),
        zone=zone,
        format=format_,
        charset=charset,
        routes=read_routes(routes) if routes else None,
        mapping=read_mapping(mapping) if mapping else None,
        to_fhir=to_fhir,
        sampling=Sampling(sample),
        strict=strict,
        encrypt=encrypt,
        require_signed=require_signed,
        wait=wait,
        jobs=jobs,
        preferred_units=preferred_units,
        crosswalk=read_crosswalk(crosswalk or ()),
        replaces=replaces,
        late_policy=late_policy,
        lateness=duration(lateness),
        lineage=lineage,
    )
    inputs, deletes = inputs or [], deletes or []
    extra: dict[str, object] = {}
    shortage: ClinmartError | None = None
    if not inputs and not deletes:
        raise UsageError("nothing to load was named: give a file, a folder or a glob")
    if mapping is None:
        refuse_tables(each for each in inputs if not far.is_far(each))
    if any(far.is_far(each) for each in inputs):
        from flows.cli.load_far import load_from
        from flows.export_settings import Credentials, ExportSettings, level_named, must_be_alone

        must_be_alone(inputs, deletes, settings)
        asked = ExportSettings(
            inputs[0],
            Credentials(client_id, key, kid, token_url, scope, jwks_url, user, password_file),
            level_named(level),
            group,
            tuple(type_ or ()),
            tuple(type_filter or ()),
            tuple(elements or ()),
            organize_output_by,
            instant("--since", since),
            full=full,
            overlap=duration(overlap, "--overlap"),
            allowed_hosts=tuple(allow_host or ()),
            plain_http=plain_http,
            parallel=parallel,
            hours=hours,
            counts=not ignore_counts,
        )
        report, extra, shortage = load_from(asked, settings, landing, grace=grace, prefect=prefect, quiet=as_json)
    elif prefect:
        from flows.load import run_with_prefect

        report = run_with_prefect(inputs, settings, deletes)
    else:
        from flows.cli.progress import watching
        from flows.drain import draining
        from flows.landing_checks import check_landings
        from flows.routed import load_each
        from sources.files import FileSource

        with draining(grace) as drain, watching(quiet=as_json) as watch:
            source_files = FileSource(
                inputs,
                settings.limits,
                deletes=deletes,
                given=settings.format,
                mapping=settings.mapping,
                objects=object_access,
            )
            check_landings(source_files, settings)
            report = load_each(source_files, settings, watch, drain, deletes=bool(deletes))
    if as_json:
        typer.echo(json.dumps(report.as_dict() | extra))
    else:
        from flows.cli.summary import print_report

        print_report(report, mart)
    _leave(report, shortage)


def _leave(report: LoadReport, shortage: ClinmartError | None) -> None:
    """Say what a user should know, and leave with the code of the greatest reason."""
    for note in report.notes:
        typer.echo(f"clinmart: {note}", err=True)
    for refused in report.refused:
        typer.echo(f"clinmart: {refused}", err=True)
    for deferred in report.deferred:
        typer.echo(f"clinmart: {deferred}", err=True)
    if shortage is not None:
        typer.echo(f"clinmart: {shortage}", err=True)
    if report.refused:
        raise SystemExit(IntegrityError.exit_code)
    if shortage is not None:
        raise SystemExit(shortage.exit_code)
    if report.deferred:
        raise SystemExit(TryAgainError.exit_code)
    if report.status == "failed":
        raise SystemExit(IntegrityError.exit_code)
    if report.status == "drained":
        typer.echo("clinmart: drained: the same command again goes on where this one stopped", err=True)
        raise SystemExit(EXIT_DRAINED)
    raise SystemExit(EXIT_QUARANTINED if report.status == "quarantined" else EXIT_CLEAN)
