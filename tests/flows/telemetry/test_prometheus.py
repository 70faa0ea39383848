"""A real Prometheus: it scrapes us, answers what the dashboard asks, and its rules fire when they should."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from flows.runner import run_load
from flows.settings import LoadSettings
from flows.telemetry import TelemetryOptions, telemetry
from schemas.signals import METRICS
from sources.files import FileSource
from tests.flows.inputs import medication, write
from tests.flows.telemetry.test_telemetry import free_port

DEPLOY = Path(__file__).parents[3] / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana" / "clinmart.json").read_text())
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="Prometheus is not installed (Debian: prometheus)"),
]


def _asked(port: int, expression: str) -> list[dict[str, Any]]:
    told = expression.replace("$__rate_interval", "1m").replace("$source", ".*")
    url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": told})
    with urllib.request.urlopen(url) as answer:
        found = json.load(answer)
    assert found["status"] == "success"
    return list(found["data"]["result"])


def test_prometheus_answers_the_dashboard(tmp_path: Path) -> None:
    """What a load told is there, and every query of the dashboard is one that Prometheus understands."""
    ours, theirs = free_port(), free_port()
    config = tmp_path / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 200ms}\n"
        f"rule_files: ['{DEPLOY / 'prometheus' / 'clinmart.rules.yml'}']\n"
        f"scrape_configs: [{{job_name: clinmart, static_configs: [{{targets: ['127.0.0.1:{ours}']}}]}}]\n"
    )
    command = ["prometheus", f"--config.file={config}", f"--web.listen-address=127.0.0.1:{theirs}"]
    command += [f"--storage.tsdb.path={tmp_path / 'data'}", "--log.level=error"]
    lines = write(tmp_path / "in.ndjson", medication("a"), medication("b"), b"{")
    with subprocess.Popen(command) as prometheus:
        try:
            with telemetry(TelemetryOptions(metrics_listen=str(ours)), "load"):
                run_load(FileSource([str(lines)]), LoadSettings(tmp_path / "m", "s"))
                rows = _until(theirs, "sum by (disposition) (clinmart_rows_total)")
                answers = {expression: _asked(theirs, expression) for expression in EXPRESSIONS}
        finally:
            prometheus.terminate()
    assert {one["metric"]["disposition"]: float(one["value"][1]) for one in rows} == {"applied": 2, "quarantined": 1}
    # those that need no second scrape some time later, nor messages or far sources
    now = [e for e in answers if "rate(" not in e and "increase(" not in e and "answer" not in e and "circuit" not in e]
    assert len(now) >= 6
    assert {e for e in now if not answers[e]} == set()


def _until(port: int, expression: str) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if found := _asked(port, expression):
                return found
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"Prometheus has no answer to {expression}")


def test_queries_are_of_our_metrics() -> None:
    """Dashboard and rules name metrics that there are, as Prometheus calls them."""
    suffixes = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}
    units = {"By": "_bytes", "s": "_seconds"}
    known = {
        metric.name.replace(".", "_") + units.get(metric.unit, "") + suffix
        for metric in METRICS
        for suffix in suffixes[metric.kind]
    }
    rules = (DEPLOY / "prometheus" / "clinmart.rules.yml").read_text()
    named = set(re.findall(r"\bclinmart_[a-z_]+\b(?=[{\[)]|\s|$)", " ".join([*EXPRESSIONS, rules])))
    assert named - {"clinmart_command"} <= known


def test_rules_fire_when_they_should() -> None:
    """promtool's own tests of the rules."""
    for command in (["check", "rules", "clinmart.rules.yml"], ["test", "rules", "clinmart.rules.test.yml"]):
        done = subprocess.run(
            ["promtool", *command], cwd=DEPLOY / "prometheus", capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
