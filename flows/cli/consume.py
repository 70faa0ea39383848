"""``clinmart consume``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.audits import audits
from schemas.errors import EXIT_CLEAN, EXIT_DRAINED, EXIT_QUARANTINED

_MIB = 1024 * 1024


@audits()
def consume(
    mart: Annotated[Path, typer.Option(help="The mart: a DuckDB file, made when it is not there.")],
    source: Annotated[str, typer.Option(help="Name of the source; rows of different sources never mix.")],
    queue: Annotated[str | None, typer.Option(help="Queue of RabbitMQ or SQS.")] = None,
    topic: Annotated[list[str] | None, typer.Option(help="Topic of Kafka; repeatable.")] = None,
    group: Annotated[str, typer.Option(help="Consumer group of Kafka.")] = "clinmart",
    url_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the broker's address: amqps://USER:PASSWORD@HOST/VHOST, kafka+tls://HOST:9093, "
            "sqs://REGION [default: CLINMART_BROKER_URL of the environment]."
        ),
    ] = None,
    url: Annotated[str | None, typer.Option(help="The same here, when it holds no password.")] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Speak without TLS to another machine, where the network is safe.")
    ] = False,
    tls_ca: Annotated[Path | None, typer.Option(help="PEM certificates to trust in place of the system's.")] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="PEM certificate of our own. Needs --tls-key.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM key of the certificate.")] = None,
    dlq: Annotated[
        str | None,
        typer.Option(help="Queue or topic for refused messages [default: where the queue's own dead letters go]."),
    ] = None,
    tries: Annotated[int, typer.Option(help="Tries of a message that breaks the decoder, before it is refused.")] = 3,
    routes: Annotated[
        Path | None, typer.Option(help="Rules, YAML, that say by their header how HL7 v2 messages are read.")
    ] = None,
    zone: Annotated[
        str | None, typer.Option(help="Zone of HL7 v2 times without an offset, e.g. Europe/Berlin.")
    ] = None,
    charset: Annotated[str | None, typer.Option(help="Character set of HL7 v2 messages that name none.")] = None,
    crosswalk: Annotated[
        list[Path] | None,
        typer.Option(help="Map codes by this file, a ConceptMap in JSON or CSV; may be given several times."),
    ] = None,
    sample: Annotated[float, typer.Option(help="Share of rows that fhir.resources checks too.")] = 0.01,
    batch: Annotated[int, typer.Option(help="Messages that are committed together.")] = 5_000,
    batch_mb: Annotated[int, typer.Option("--batch-mb", help="MiB that are committed together.")] = 16,
    batch_seconds: Annotated[float, typer.Option(help="Seconds that a message waits for others.")] = 1.0,
    prefetch: Annotated[
        int | None, typer.Option(help="Messages received and not acknowledged, at most [default: three batches].")
    ] = None,
    from_mart: Annotated[
        bool, typer.Option("--from-mart", help="Kafka: begin where the mart stands, not where the group does.")
    ] = False,
    patience: Annotated[str, typer.Option(help="How long a broker may be away before this ends with code 75.")] = "15m",
    wait: Annotated[
        float | None, typer.Option(help="Seconds to wait for a mart that another process holds [default: no end].")
    ] = None,
    until_idle: Annotated[
        str | None, typer.Option(help="End when no message came for so long, e.g. 30s [default: run until stopped].")
    ] = None,
    grace: Annotated[float, typer.Option(help="Seconds to commit what was received, after SIGTERM.")] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="At the end, print the report as one JSON object.")] = False,
) -> None:
    """Consume messages of Kafka, RabbitMQ or SQS and acknowledge each when it is safe in the mart.

    A message is a FHIR resource, a Bundle, NDJSON or HL7 v2. Runs until SIGTERM or Ctrl-C; then commits what it has
    received, and leaves. What comes again is in the mart once.
    """
    from flows.consume_broker import run_consume
    from flows.consume_mart import DrainedError
    from flows.consume_run import ConsumeLimits
    from flows.consume_settings import ConsumeSettings
    from flows.drain import draining
    from flows.settings import LoadSettings, duration
    from sources.brokers.tls import ClientTls
    from sources.crosswalks import read_crosswalk
    from sources.routes import read_routes
    from transforms.sample import Sampling

    asked = ConsumeSettings(
        queue=queue,
        topics=tuple(topic or ()),
        group=group,
        url=url,
        url_file=url_file,
        plain=plain,
        tls=ClientTls(tls_ca, tls_cert, tls_key),
        dead=dlq,
        tries=tries,
        prefetch=prefetch,
        from_mart=from_mart,
        limits=ConsumeLimits(
            batch,
            batch_mb * _MIB,
            batch_seconds,
            duration(patience, "--patience").total_seconds(),
            None if until_idle is None else duration(until_idle, "--until-idle").total_seconds(),
        ),
    )
    settings = LoadSettings(
        mart=mart,
        source=source,
        zone=zone,
        charset=charset,
        routes=read_routes(routes).of(source) if routes else None,
        crosswalk=read_crosswalk(crosswalk or ()),
        sampling=Sampling(sample),
        wait=float("inf") if wait is None else wait,
    )

    def ready(place: str) -> None:
        typer.echo(f"clinmart: consuming {place} into {mart}", err=as_json)

    with draining(grace) as drain:
        try:
            report = run_consume(asked, settings, drain, ready)
        except DrainedError:
            typer.echo("clinmart: drained before it had the mart: nothing was received", err=True)
            raise SystemExit(EXIT_DRAINED) from None
    _tell(report.as_dict(), as_json=as_json)


def _tell(report: dict[str, object], *, as_json: bool) -> None:
    """Print the report, and leave with its code."""
    if as_json:
        typer.echo(json.dumps(report))
    else:
        counts = report["messages"]
        assert isinstance(counts, dict)
        typer.echo(
            f"{report['status']}: {counts['received']:,} messages in {report['batches']:,} commits, "
            f"{counts['again']:,} of them again, {counts['refused']:,} refused; {counts['acknowledged']:,} acknowledged"
        )
    codes = {"drained": EXIT_DRAINED, "quarantined": EXIT_QUARANTINED}
    raise SystemExit(codes.get(str(report["status"]), EXIT_CLEAN))
