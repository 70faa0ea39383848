"""Spans and metrics of a load: whole, under one another, and of nobody."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from flows.runner import run_load
from flows.settings import LoadSettings
from flows.telemetry import TelemetryOptions, telemetry
from schemas import signals
from schemas.errors import StorageError, UsageError
from schemas.signals import METRICS, QUARANTINE, ROWS
from sources.files import FileSource
from tests.flows.inputs import Outcome, medication, write
from tests.flows.telemetry.receiver import receiving

CANARY = "canary4417"


def _load(folder: Path) -> None:
    bad = f'{{"resourceType":"Medication","id":"{CANARY}","status":"{CANARY}"}}'.encode()
    path = write(folder / f"{CANARY}.ndjson", medication(CANARY, CANARY), bad, f"{{{CANARY}".encode())
    run_load(FileSource([str(path)]), LoadSettings(folder / "m", "s"))


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _metrics(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(text)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_spans(tmp_path: Path) -> None:
    """One trace: the command, the run, its partitions, chunks, steps and the commit, each under what it is part of."""
    with receiving() as received, telemetry(TelemetryOptions(otlp=received.url), "load"):
        _load(tmp_path)
    above = {span.name: received.parent(span) for span in received.spans}
    assert above == {
        "clinmart.load": None,
        "clinmart.run": "clinmart.load",
        "clinmart.partition": "clinmart.run",
        "clinmart.chunk": "clinmart.load",
        "clinmart.transform": "clinmart.chunk",
        "clinmart.decode": "clinmart.transform",
        "clinmart.normalise": "clinmart.transform",
        "clinmart.check": "clinmart.transform",
        "clinmart.stage": "clinmart.chunk",
        "clinmart.commit": "clinmart.run",
    }
    assert len({span.trace_id for span in received.spans}) == 1
    assert all(span.end_time_unix_nano >= span.start_time_unix_nano > 0 for span in received.spans)
    assert set(received.resource) == {"service.name", "service.version", "clinmart.command"}
    assert {"clinmart.rows", "clinmart.refused", "clinmart.quarantine.depth"} <= received.metrics
    assert CANARY.encode() not in received.raw
    assert str(tmp_path).encode() not in received.raw


def test_an_error_is_told_by_its_type(tmp_path: Path) -> None:
    """A span that fails says so, without the text of what was raised."""
    with (
        receiving() as received,
        pytest.raises(StorageError),
        telemetry(TelemetryOptions(otlp=received.url), "load"),
        signals.span("work"),
    ):
        raise StorageError(f"about {CANARY}")
    (span,) = received.named("work")
    assert span.status.message == "StorageError"
    assert not span.events
    assert CANARY.encode() not in received.raw


def test_metrics_file(clinmart: Callable[..., Outcome], tmp_path: Path) -> None:
    """The command line writes what Prometheus reads, at once and with what the report says."""
    told = tmp_path / "told.prom"
    told.write_text("of yesterday")
    lines = write(tmp_path / "in.ndjson", medication("a"), medication("b"), b"{")
    report = clinmart("--metrics-file", told, "load", lines, "--mart", tmp_path / "m", "--source", "s", "--json").json
    found = _metrics(told.read_text())
    rows = {key: value for key, value in found.items() if key[0] == "clinmart_rows_total"}
    counts = {
        ("clinmart_rows_total", (("disposition", name), ("resource_type", kind), ("source", "s"))): float(number)
        for kind, one in report["resources"].items()
        for name, number in one.items()
        if name != "read" and number
    }
    assert rows == counts
    assert found["clinmart_quarantine_depth", (("reason", "malformed_json"), ("source", "s"))] == 1
    assert found["clinmart_read_bytes_total", (("source", "s"),)] == lines.stat().st_size
    assert found["clinmart_process_memory_bytes", ()] > 10_000_000
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".told")]


def test_endpoint(tmp_path: Path) -> None:
    """Prometheus can ask while a command runs, and no longer."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/metrics"
    with telemetry(TelemetryOptions(metrics_listen=str(port)), "listen"):
        signals.tell(ROWS, 5, source="s", resource_type="Patient", disposition="applied")
        with urllib.request.urlopen(url) as answer:
            found = _metrics(answer.read().decode())
        with (
            pytest.raises(UsageError, match="cannot listen"),
            telemetry(TelemetryOptions(metrics_listen=str(port)), "x"),
        ):
            pass
    assert (
        found["clinmart_rows_total", (("disposition", "applied"), ("resource_type", "Patient"), ("source", "s"))] == 5
    )
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url)


def test_nobody_listens_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever the environment says: without an option nothing is told, and nothing of OpenTelemetry is set up."""
    with receiving() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
        with telemetry(TelemetryOptions(), "load"):
            assert not signals.heard()
            _load(tmp_path)
    assert not received.raw


def test_a_receiver_that_is_not_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The load is as if nobody had asked; that telemetry was lost is a warning."""
    with telemetry(TelemetryOptions(otlp=f"http://127.0.0.1:{free_port()}"), "load"):
        _load(tmp_path)
    assert (tmp_path / "m").exists()
    assert caplog.records
    assert CANARY not in caplog.text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"otlp": "127.0.0.1:4318"}, "OTLP/HTTP receiver"),
        ({"otlp": "http://user:secret@host:4318"}, "holds a secret"),
        ({"metrics_listen": "70000"}, "give a port"),
        ({"metrics_listen": "a b:9"}, "give a port"),
        ({"metrics_file": Path("/nowhere/at/all")}, "there is no folder"),
    ],
)
def test_wrong_options(options: dict[str, object], said: str) -> None:
    """What is wrong is told before anything begins, without the secret."""
    with pytest.raises(UsageError, match=said) as caught:
        TelemetryOptions(**options)  # type: ignore[arg-type]
    assert "secret@" not in str(caught.value)


def test_metrics_are_told_as_they_are_declared() -> None:
    """A label that is not declared would make series without end: it is an error."""
    with (
        telemetry(TelemetryOptions(metrics_listen=str(free_port())), "x"),
        pytest.raises(ValueError, match="told by"),
    ):
        signals.tell(QUARANTINE, 1, source="s", patient="p")
    assert len({metric.name for metric in METRICS}) == len(METRICS)
