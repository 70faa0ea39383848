"""``clinmart listen``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.audits import audits
from schemas.errors import EXIT_DRAINED, UsageError

_MIB = 1024 * 1024


@audits()
def listen(
    mart: Annotated[Path, typer.Option(help="The mart: a DuckDB file, made when it is not there.")],
    port: Annotated[int, typer.Option(help="TCP port; 0: one that the system chooses, and that is printed.")],
    source: Annotated[str, typer.Option(help="Name of the source; rows of different sources never mix.")] = "hl7v2",
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all of this machine's.")] = "127.0.0.1",
    zone: Annotated[str | None, typer.Option(help="Zone of times without an offset, e.g. Europe/Berlin.")] = None,
    routes: Annotated[
        Path | None, typer.Option(help="Rules, YAML, that say by their header how messages are read, and which not.")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="PEM certificate: speak TLS. Needs --tls-key.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM key of the certificate.")] = None,
    tls_ca: Annotated[
        Path | None, typer.Option(help="PEM certificates: let only senders in whom one of them has signed.")
    ] = None,
    max_frame: Annotated[int, typer.Option(help="MiB that a message may have.")] = 16,
    max_connections: Annotated[int, typer.Option(help="Connections at the same time.")] = 1000,
    idle: Annotated[float, typer.Option(help="Seconds after which a silent connection is closed.")] = 3600.0,
    frame_timeout: Annotated[float, typer.Option(help="Seconds in which a message that has begun must end.")] = 60.0,
    charset: Annotated[str | None, typer.Option(help="Character set of messages that name none.")] = None,
    check_all: Annotated[
        bool,
        typer.Option(help="Check every message before it is answered, not only those with fields of a new form: slow."),
    ] = False,
    rows_after: Annotated[float, typer.Option(help="Seconds after which a message's rows are in the tables.")] = 30.0,
    batch_ms: Annotated[
        float, typer.Option(help="Milliseconds that a message waits for others to commit with.")
    ] = 10.0,
    encrypt: Annotated[
        bool, typer.Option("--encrypt", help="Make a new mart encrypted, by a key of its keyring; see clinmart key.")
    ] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait for a mart that another process holds.")] = 0.0,
    grace: Annotated[float, typer.Option(help="Seconds to commit and answer what was read, after SIGTERM.")] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="At the end, print the report as one JSON object.")] = False,
) -> None:
    """Listen for HL7 v2 messages (MLLP) and acknowledge each when it is safe in the mart.

    Runs until SIGTERM or Ctrl-C; then answers what it has read, and leaves. What was not acknowledged is to be sent
    again, and what is sent again is taken in once.
    """
    from flows.drain import draining
    from flows.listen import Address, ListenLimits, run_listen
    from flows.listen_commit import BatchLimits, Committer
    from flows.listen_mart import open_committers
    from flows.listen_report import ListenReport
    from flows.listen_routed import RoutedCommitter
    from flows.settings import LoadSettings
    from sources.mllp.limits import MllpLimits
    from sources.mllp.tls import server_context
    from sources.routes import read_routes

    if (tls_cert is None) != (tls_key is None) or (tls_ca is not None and tls_cert is None):
        raise UsageError("TLS needs both --tls-cert and --tls-key; --tls-ca goes with them")
    tls = None if tls_cert is None or tls_key is None else server_context(tls_cert, tls_key, tls_ca)
    rules = read_routes(routes).of(source) if routes else None
    settings = LoadSettings(
        mart=mart, source=source, zone=zone, charset=charset, wait=wait, routes=rules, encrypt=encrypt
    )
    limits = ListenLimits(
        MllpLimits(
            frame_bytes=max_frame * _MIB,
            connections=max_connections,
            frame_seconds=frame_timeout,
            idle_seconds=idle,
        ),
        BatchLimits(seconds=batch_ms / 1000),
    )

    def ready(found: int) -> None:
        secured = "MLLP with TLS" if tls is not None else "MLLP"
        typer.echo(f"clinmart: listening on {host} port {found} ({secured}) into {mart}", err=as_json)

    report = ListenReport(source)
    with (
        draining(grace) as drain,
        open_committers(
            settings, check_all=check_all, rows_after=rows_after, finish_within=grace / 2, report=report
        ) as own,
    ):
        routed = None if rules is None else RoutedCommitter(rules, own)
        committer: Committer = routed or own[source]
        run_listen(Address(host, port, tls), report, committer, limits, drain, ready)
        report.unrouted = routed.unrouted if routed else 0
    if as_json:
        typer.echo(json.dumps(report.as_dict()))
    else:
        counts = report.inputs
        refused, faults = sum(report.not_taken.values()), sum(report.faults.values())
        typer.echo(
            f"drained: {counts.read:,} messages, {counts.duplicate:,} of them again, {counts.quarantined:,} "
            f"quarantined; {refused:,} not taken, {faults:,} faulty frames, {report.accepted:,} connections"
        )
    raise SystemExit(EXIT_DRAINED)
