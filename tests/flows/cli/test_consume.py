"""``clinmart consume``: what it is told, and what it says of what it is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.consume_broker import run_consume
from flows.consume_report import ConsumeReport
from flows.consume_run import ConsumeLimits
from flows.consume_settings import ConsumeSettings
from flows.drain import Drain
from flows.settings import LoadSettings
from schemas.records import LoadReport
from sources.brokers.kafka import KafkaBroker
from sources.brokers.rabbitmq import RabbitBroker
from sources.brokers.sqs import SqsBroker
from stores.lock import loader_lock
from tests.flows.inputs import Outcome

SECRET = "s3cret"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say what to consume"),
        (("--queue", "q", "--topic", "t"), "say what to consume"),
        (("--queue", "q"), "address is not told"),
        (("--queue", "q", "--url", f"amqps://me:{SECRET}@h"), "every list of processes shows"),
        (("--queue", "q", "--url", "kafka://localhost"), "needs --topic"),
        (("--topic", "t", "--url", "amqp://localhost"), "needs --queue"),
        (("--queue", "q", "--url", "amqp://localhost", "--url-file", "f"), "give one of them"),
        (("--queue", "q", "--url-file", "nowhere"), "cannot be read"),
        (("--queue", "q", "--url", "amqp://localhost", "--tls-ca", "nowhere"), "there is no file"),
        (("--queue", "q", "--url", "amqp://localhost", "--tls-ca", __file__), "for an address with TLS"),
        (("--queue", "q", "--url", "amqp://localhost", "--from-mart"), "--from-mart is for Kafka"),
        (("--queue", "q", "--url", "amqp://localhost", "--tries", "0"), "--tries is 0"),
        (("--queue", "q", "--url", "amqp://localhost", "--batch", "0"), "at least one message"),
        (("--queue", "q", "--url", "amqp://hospital.example.org"), "--plain"),
        (("--queue", "q", "--url", "amqp://localhost", "--until-idle", "soon"), "--until-idle"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: tuple[str, ...], said: str, tmp_path: Path, clinmart: Callable[..., Outcome]
) -> None:
    """Exit 2, before anything is connected or made, and no password in it."""
    told = clinmart("consume", "--mart", tmp_path / "m", "--source", "s", *arguments)
    assert told.code == 2
    assert said in told.err
    assert told.err.count("\n") == 1
    assert SECRET not in told.err
    assert not (tmp_path / "m").exists()


def test_each_address_makes_its_broker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From a file or from the environment."""
    monkeypatch.setenv("CLINMART_BROKER_URL", "kafka+tls://127.0.0.1:1")
    assert isinstance(ConsumeSettings(topics=("a",)).broker({}), KafkaBroker)
    file = tmp_path / "url"
    file.write_text(f"amqps://me:{SECRET}@rabbit.example.org/x\n")
    asked = ConsumeSettings(queue="q", url_file=file)
    assert isinstance(asked.broker({}), RabbitBroker)
    assert SECRET not in repr(asked)
    monkeypatch.setenv("CLINMART_BROKER_URL", "sqs://eu-west-1")
    assert isinstance(ConsumeSettings(queue="q").broker({}), SqsBroker)


def test_a_broker_that_is_away_is_exit_75(tmp_path: Path, clinmart: Callable[..., Outcome]) -> None:
    """After the patience that was told."""
    options = ("--queue", "q", "--url", "amqp://localhost:1", "--patience", "0s")
    told = clinmart("consume", "--mart", tmp_path / "m", "--source", "s", *options)
    assert told.code == 75
    assert "not reachable" in told.err


def test_a_mart_that_is_loaded_by_another_is_exit_6(tmp_path: Path, clinmart: Callable[..., Outcome]) -> None:
    """With --wait; without, it waits for it."""
    options = ("--queue", "q", "--url", "amqp://localhost:1", "--wait", "0")
    with loader_lock(tmp_path / "m"):
        told = clinmart("consume", "--mart", tmp_path / "m", "--source", "s", *options)
    assert told.code == 6


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("quarantined", 3), ("drained", 143)])
def test_the_report(
    status: str, code: int, tmp_path: Path, clinmart: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One JSON object, or a line, and the code of the status."""
    seen: list[Any] = []

    def done(
        asked: ConsumeSettings, settings: LoadSettings, drain: Drain, ready: Callable[[str], None]
    ) -> ConsumeReport:
        seen.append(asked)
        load = LoadReport.from_dict(_LOAD | {"status": status})
        return ConsumeReport("q of rabbitmq", load, received=7, acknowledged=7)

    assert run_consume is not done
    monkeypatch.setattr("flows.consume_broker.run_consume", done)
    options = ("--queue", "q", "--url", "amqp://localhost:1", "--batch", "7", "--batch-mb", "2", "--until-idle", "3s")
    told = clinmart("consume", "--mart", tmp_path / "m", "--source", "s", *options, "--json")
    assert told.code == code
    assert (told.json["status"], told.json["messages"]["received"]) == (status, 7)
    assert seen[0].limits == ConsumeLimits(7, 2 * 1024 * 1024, 1.0, 900.0, 3.0)
    assert b"7 messages" in clinmart("consume", "--mart", tmp_path / "m", "--source", "s", *options).out


_LOAD: dict[str, Any] = {
    "load_id": "1", "source": "s", "as_of": "2026-01-01T00:00:00+00:00", "status": "ok", "bytes": 0, "seconds": 0.0,
    "resources": {}, "tables": {}, "refused": [], "views": {}, "unmapped": 0, "unmapped_codes": [], "notes": [],
    "inputs": {}, "version_conflicts": {}, "late": {}, "unrouted": 0, "sources": {},
}  # fmt: skip
