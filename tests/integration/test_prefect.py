"""The load as a flow, on a real Prefect server that the test starts on loopback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers.moto_sqs import fill, moto
from tests.bulk.server import File, serving
from tests.flows.inputs import medication

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

CANARY = "Zzyzx-Canary-7731"
_START_SECONDS = 120


def _post(api: str, path: str, body: object) -> list[dict[str, object]]:
    request = urllib.request.Request(
        f"{api}/{path}", json.dumps(body).encode(), {"content-type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """A Prefect server of our own and the environment that points to it."""
    home = tmp_path_factory.mktemp("prefect")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    api = f"http://127.0.0.1:{port}/api"
    environment = {
        **os.environ,
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_API_URL": api,
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not _answers(api):
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail("the Prefect server did not start: " + (home / "server.log").read_text()[-500:])
            yield api, environment
        finally:
            process.terminate()
            process.wait(30)


def _answers(api: str) -> bool:
    try:
        with urllib.request.urlopen(f"{api}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _load(folder: Path, mart: Path, environment: dict[str, str], *more: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "flows.cli.main",
        "load",
        str(folder),
        "--mart",
        str(mart),
        "--source",
        "s",
        "--json",
    ]
    return subprocess.run([*command, *more], env=environment, capture_output=True, text=True, check=False, timeout=200)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files: good patients, and observations of which one is bad and names a person."""
    made = tmp_path / "in"
    made.mkdir()
    people = [{"resourceType": "Patient", "id": f"p{n}", "name": [{"family": CANARY}]} for n in range(20)]
    seen = [
        {"resourceType": "Observation", "id": f"o{n}", "status": "final", "code": {"text": "t"}, "valueString": CANARY}
        for n in range(20)
    ]
    seen[3]["code"] = {"coding": [{"system": "http://lab.example.org", "code": "QQ"}]}
    seen[7]["status"] = CANARY
    (made / "Patient.ndjson").write_text("".join(json.dumps(p) + "\n" for p in people))
    (made / "Observation.ndjson").write_text("".join(json.dumps(o) + "\n" for o in seen))
    return made


def test_flow_run_tasks_and_artifact(server: tuple[str, dict[str, str]], folder: Path, tmp_path: Path) -> None:
    """The runner's counts; the run, one task a partition and the report are on the server, values are not."""
    api, environment = server
    maps = tmp_path / "map.csv"
    header = "source_system,source_code,target_system,target_code,equivalence,map_version"
    maps.write_text(f"{header}\nhttp://lab.example.org,HB,LN,718-7,equal,1\n")
    ran = _load(folder, tmp_path / "flow.duckdb", environment, "--prefect", "--crosswalk", str(maps))
    assert ran.returncode == 3, ran.stderr
    plain = _load(folder, tmp_path / "plain.duckdb", environment, "--crosswalk", str(maps))
    flow, runner = (json.loads(r.stdout.splitlines()[-1]) for r in (ran, plain))
    assert flow["resources"] == runner["resources"]
    assert flow["tables"] == runner["tables"]
    assert flow["unmapped_codes"] == runner["unmapped_codes"]
    assert flow["unmapped"] == runner["unmapped"] == 1

    runs = _post(api, "flow_runs/filter", {})
    assert [r["state_type"] for r in runs] == ["COMPLETED"]  # and the runner has told the server nothing
    artifacts = _post(api, "artifacts/filter", {})
    assert any(a["key"] == "load-report" and "| Observation | 20 |" in str(a["data"]) for a in artifacts)
    deadline = time.monotonic() + 60
    names: set[object] = set()
    while time.monotonic() < deadline and len(names) < 2:
        names = {t["name"] for t in _post(api, "task_runs/filter", {})}
    assert names == {"stage Patient.ndjson", "stage Observation.ndjson"}
    told = json.dumps([runs, artifacts, _post(api, "logs/filter", {}), _post(api, "task_runs/filter", {})])
    assert CANARY not in told
    assert CANARY not in ran.stdout + ran.stderr


def test_without_the_option_no_server_is_told(server: tuple[str, dict[str, str]], folder: Path, tmp_path: Path) -> None:
    """PREFECT_API_URL alone makes no load tell an orchestrator its file names."""
    api, environment = server
    before = len(_post(api, "flow_runs/filter", {}))
    assert _load(folder, tmp_path / "m.duckdb", environment).returncode == 3
    assert len(_post(api, "flow_runs/filter", {})) == before


def test_reconcile(server: tuple[str, dict[str, str]], folder: Path, tmp_path: Path) -> None:
    """The replay as a flow: what the command line says, with its report as an artifact and no value of a patient."""
    api, environment = server
    mart = tmp_path / "m.duckdb"
    assert _load(folder, mart, environment).returncode == 3
    command = [sys.executable, "-m", "flows.cli.main", "quarantine", "replay", "--mart", str(mart), "--json"]
    ran = subprocess.run(
        [*command, "--prefect", "--attempts", "1"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert ran.returncode == 3, ran.stderr
    report = json.loads(ran.stdout.splitlines()[-1])
    assert (report["replayed"], report["dead"]) == (0, 1)
    runs = [run for run in _post(api, "flow_runs/filter", {}) if "attempts" in dict(run["parameters"])]  # type: ignore[call-overload] # JSON
    assert [run["state_type"] for run in runs] == ["COMPLETED"]
    artifacts = _post(api, "artifacts/filter", {})
    assert any(a["key"] == "replay-report" and "| Observation | 1 |" in str(a["data"]) for a in artifacts)
    told = json.dumps([runs, artifacts, _post(api, "logs/filter", {}), _post(api, "task_runs/filter", {})])
    assert CANARY not in told + ran.stdout + ran.stderr


def test_sync(server: tuple[str, dict[str, str]], folder: Path, tmp_path: Path) -> None:
    """A far server's export as a flow: the runner's mart, a cursor, and neither password nor value on the server."""
    api, environment = server
    secret = "Zzyzx-Secret-7731"
    files = {name: File((folder / f"{name}.ndjson").read_bytes(), name) for name in ("Patient", "Observation")}
    environment = environment | {"CLINMART_PASSWORD": secret}
    with serving(files=files, basic=("ward", secret), retry_after="0") as bulk:
        mart = tmp_path / "m.duckdb"
        ran = _load(bulk.url + "/fhir", mart, environment, "--prefect", "--user", "ward")  # type: ignore[arg-type] # an address
        assert ran.returncode == 3, ran.stderr
        again = _load(bulk.url + "/fhir", mart, environment, "--prefect", "--user", "ward")  # type: ignore[arg-type] # an address
        assert again.returncode in (0, 3), again.stderr
        assert [one.query.get("_since") for one in bulk.asked if "export" in one.path] == [
            None,
            ["2026-01-31T11:50:00.000Z"],
        ]
    plain = _load(folder, tmp_path / "plain.duckdb", environment)
    flow, runner = (json.loads(r.stdout.splitlines()[-1]) for r in (ran, plain))
    assert flow["resources"] == runner["resources"]
    assert flow["tables"] == runner["tables"]
    runs = [run for run in _post(api, "flow_runs/filter", {}) if "url" in dict(run["parameters"])]  # type: ignore[call-overload] # JSON
    assert [run["state_type"] for run in runs] == ["COMPLETED"] * 2
    told = json.dumps([runs, _post(api, "logs/filter", {}), _post(api, "task_runs/filter", {})])
    assert CANARY not in told + ran.stdout + ran.stderr
    assert secret not in told + ran.stdout + ran.stderr


def test_consume(server: tuple[str, dict[str, str]], tmp_path: Path) -> None:
    """A queue as a flow: what it took is in the mart, and neither address nor value on the server."""
    api, environment = server
    secret = "Zzyzx-Secret-7731"
    with moto() as port:
        fill(port, "labs", [medication("a", CANARY), b'{"resourceType":"Medication","id":"%s"' % CANARY.encode()])
        environment = environment | {
            "CLINMART_BROKER_URL": f"sqs+http://me:{secret}@127.0.0.1:{port}/?region=eu-west-1",
            "PYTHONWARNINGS": "ignore",
        }
        told = {"mart": str(tmp_path / "m"), "source": "s", "queue": "labs", "until_idle": 0.5}
        run = f"import json; from flows.consume import consume; print(json.dumps(consume(**{told!r})))"
        command = [sys.executable, "-c", run]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=200)
    assert ran.returncode == 0, ran.stderr
    report = json.loads(ran.stdout.splitlines()[-1])
    assert (report["status"], report["messages"]["acknowledged"]) == ("quarantined", 2)
    runs = [run for run in _post(api, "flow_runs/filter", {}) if "queue" in dict(run["parameters"])]  # type: ignore[call-overload] # JSON
    assert [run["state_type"] for run in runs] == ["COMPLETED"]
    said = (
        json.dumps([runs, _post(api, "logs/filter", {}), _post(api, "task_runs/filter", {})]) + ran.stdout + ran.stderr
    )
    assert CANARY not in said
    assert secret not in said
