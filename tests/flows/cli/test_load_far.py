"""`clinmart load https://...`: an export in the mart, its cursor, and what is missing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bulk.server import OUTCOME, BulkServer, File, cut, held, html, serving, status
from tests.flows.inputs import Outcome, contents, medication, query

Clinmart = Callable[..., Outcome]


def _basic(*names: str) -> bytes:
    return b"".join(json.dumps({"resourceType": "Basic", "id": name}).encode() + b"\n" for name in names)


@pytest.fixture
def server() -> Iterator[BulkServer]:
    """Medications in two files, and a type without a table."""
    files = {
        "m1": File(b"".join(medication(f"m{n}", updated=None) + b"\n" for n in range(300)), "Medication", count=300),
        "m2": File(medication("n") + b"\n" + medication("m1", "late", updated="2027-01-01T00:00:00Z"), "Medication"),
        "b": File(_basic("b1", "b2"), "Basic"),
    }
    with serving(files=files, retry_after="0") as one:
        yield one


def _load(clinmart: Clinmart, server: BulkServer, mart: Path, *more: object) -> Outcome:
    return clinmart("load", server.url + "/fhir", "--mart", mart, "--source", "s", "--json", *more)


def _cursors(mart: Path) -> dict[str, Any]:
    return dict(query(mart, "SELECT resource_type, read_cursor::VARCHAR FROM etl.watermark"))


def _exports(mart: Path) -> list[tuple[Any, ...]]:
    return query(mart, "SELECT read_cursor::VARCHAR FROM etl.export ORDER BY 1")


def _kick_offs(server: BulkServer) -> list[dict[str, list[str]]]:
    return [one.query for one in server.asked if one.path.endswith("$export")]


def test_the_same_mart_as_of_the_files(clinmart: Clinmart, server: BulkServer, tmp_path: Path) -> None:
    """Rows, history and times are those of a load of the fetched folder, and of the folder that it leaves."""
    outcome = _load(clinmart, server, tmp_path / "far")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.json["resources"]["Medication"]["read"] == 302
    export = outcome.json["export"]
    assert (export["files"], export["missing"], export["errors"]) == (3, [], 0)
    assert Path(export["folder"]).parent == tmp_path / "far.landing"
    assert clinmart("fetch", server.url + "/fhir", "--out", tmp_path / "out", "--json").code == 0
    for folder, mart in ((tmp_path / "out", "near"), (export["folder"], "again")):
        words = ("load", folder, "--mart", tmp_path / mart, "--source", "s", "--json")
        assert clinmart(*words, "--keys", tmp_path / "far.keys").code == 0  # they signed the second folder
        assert contents(tmp_path / mart) == contents(tmp_path / "far")
        assert _cursors(tmp_path / mart) == _cursors(tmp_path / "far")
        assert _exports(tmp_path / mart) == _exports(tmp_path / "far") == [("2026-01-31 12:00:00+00",)]
    assert server.deleted


def test_goes_on_where_it_was(clinmart: Clinmart, server: BulkServer, tmp_path: Path) -> None:
    """The second load asks for what changed since, less the overlap; no change is no fault; --full asks for all."""
    mart = tmp_path / "m"
    _load(clinmart, server, mart)
    server.transaction_time, server.files = "2026-02-01T00:00:00Z", {}
    again = _load(clinmart, server, mart)
    assert (again.code, again.json["resources"], again.json["status"]) == (0, {}, "ok")
    assert again.json["export"]["since"] == "2026-01-31T11:50:00+00:00"
    _load(clinmart, server, mart, "--overlap", "2h")
    _load(clinmart, server, mart, "--full")
    _load(clinmart, server, mart, "--since", "2026-01-15T00:00:00+01:00")
    told = [one.get("_since") for one in _kick_offs(server)]
    assert told == [
        None,
        ["2026-01-31T11:50:00.000Z"],
        ["2026-01-31T22:00:00.000Z"],
        None,
        ["2026-01-14T23:00:00.000Z"],
    ]
    assert _exports(mart) == [("2026-02-01 00:00:00+00",)]


def test_each_request_has_its_own_cursor(clinmart: Clinmart, server: BulkServer, tmp_path: Path) -> None:
    """What was asked for one group, type or source says nothing of another."""
    mart = tmp_path / "m"
    for more in (("--group", "a"), ("--group", "b"), ("--type", "Medication"), ("--type", "Medication,Basic")):
        assert _load(clinmart, server, mart, *more).code == 0
    assert clinmart("load", server.url + "/fhir", "--mart", mart, "--source", "t").code == 0
    assert [one.get("_since") for one in _kick_offs(server)] == [None] * 5
    _load(clinmart, server, mart, "--type", "Basic", "--type", "Medication")
    assert _kick_offs(server)[-1]["_since"] == ["2026-01-31T11:50:00.000Z"]


def test_a_gap_moves_no_cursor(clinmart: Clinmart, server: BulkServer, tmp_path: Path) -> None:
    """An export of what changed since a time that the mart does not reach leaves its cursor alone."""
    mart = tmp_path / "m"
    _load(clinmart, server, mart, "--since", "2026-01-30T00:00:00Z")
    assert _exports(mart) == []
    _load(clinmart, server, mart)
    assert _kick_offs(server)[-1].get("_since") is None
    assert len(_exports(mart)) == 1


def test_errors_hold_the_cursor(clinmart: Clinmart, server: BulkServer, tmp_path: Path) -> None:
    """What came is loaded, exit 75, and the next load asks for the same again."""
    mart = tmp_path / "m"
    server.files["e"] = File(OUTCOME % b"exception" + b"\n", "OperationOutcome", "error")
    outcome = _load(clinmart, server, mart)
    assert outcome.code == 75
    assert "the server reports 1 errors" in outcome.err
    assert "Zzyzx" not in outcome.err
    assert outcome.json["export"]["errors"] == 1
    assert query(mart, "SELECT count(*) FROM medication") == [(301,)]
    assert (set(_cursors(mart).values()), _exports(mart)) == ({None}, [])
    del server.files["e"]
    assert _load(clinmart, server, mart).code == 0
    assert [one.get("_since") for one in _kick_offs(server)] == [None, None]
    assert len(_exports(mart)) == 1


def test_a_missing_file_holds_its_type(
    clinmart: Clinmart, server: BulkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are loaded and their cursors move; the same command gets the file, of the same export."""
    monkeypatch.setattr("sources.pace.limits.PaceLimits.__init__.__defaults__", (4, 1e6, 3, 0.01, 0.01, 1.0, 100, 1.0))
    mart = tmp_path / "m"
    server.faults["m2"].extend([status(503)] * 3)
    outcome = _load(clinmart, server, mart)
    assert outcome.code == 75
    assert "Medication.001.ndjson: status 503" in outcome.err
    assert outcome.json["status"] == "drained"
    assert outcome.json["export"]["missing"] == ["Medication.001.ndjson: status 503; tried 3 times. Try again later"]
    assert _cursors(mart) == {"Basic": "2026-01-31 12:00:00+00"}
    assert _exports(mart) == []
    outcome = _load(clinmart, server, mart)
    assert (outcome.code, len(_kick_offs(server)), len(server.files_asked("m1"))) == (0, 1, 1)
    assert outcome.json["resources"]["Medication"] == {
        "read": 302,
        "applied": 2,
        "superseded": 0,
        "duplicate": 300,
        "quarantined": 0,
        "suppressed": 0,
    }
    assert set(_cursors(mart).values()) == {"2026-01-31 12:00:00+00"}
    assert len(_exports(mart)) == 1


def test_deletes_are_applied(clinmart: Clinmart, server: BulkServer, tmp_path: Path) -> None:
    """As those of a folder."""
    entry = {"request": {"method": "DELETE", "url": "Medication/m7"}}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    server.transaction_time = "2026-03-01T00:00:00Z"
    server.files["d"] = File(json.dumps(bundle).encode() + b"\n", "Bundle", "deleted")
    assert _load(clinmart, server, tmp_path / "m").code == 0
    assert query(tmp_path / "m", "SELECT id FROM etl.tombstone WHERE superseded_by IS NULL") == [("m7",)]


def test_lines_that_are_refused(clinmart: Clinmart, server: BulkServer, tmp_path: Path) -> None:
    """Go to the quarantine as ever; the export is accounted for."""
    server.files["b"].content += b'{"resourceType":"Basic"\n}\n'
    server.files["b"].content += b'{"id":"x"}\n'
    assert _load(clinmart, server, tmp_path / "m").code == 3
    assert len(_exports(tmp_path / "m")) == 1


def test_when_nothing_can_be_fetched(clinmart: Clinmart, server: BulkServer, tmp_path: Path) -> None:
    """The error of the fetch, no mart, one JSON object."""
    server.faults["kickoff"].append(html(404))
    outcome = _load(clinmart, server, tmp_path / "m")
    assert (outcome.code, outcome.json["status"]) == (2, "failed")
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["http://fhir.example.org/r4"], "--plain-http"),
        (["https://u:p@fhir.example.org/r4"], "give them apart"),
        (["https://fhir.example.org/r4", "x.ndjson"], "loaded alone"),
        (["https://fhir.example.org/r4", "--format", "hl7v2"], "--format hl7v2"),
        (["https://fhir.example.org/r4", "--client-id", "me"], "--key"),
        (["https://fhir.example.org/r4", "--user", "me"], "--password-file"),
        (["https://fhir.example.org/r4", "--scope", "x"], "--client-id"),
        (["https://fhir.example.org/r4", "--level", "all"], "--level"),
        (["https://fhir.example.org/r4", "--level", "group"], "--group"),
        (["https://fhir.example.org/r4/Patient", "--group", "g"], "leave --level and --group out"),
        (["https://fhir.example.org/r4", "--group", "../x"], "--group"),
        (["https://fhir.example.org/r4", "--type", "patient"], "--type"),
        (["https://fhir.example.org/r4", "--since", "2026-01-31"], "--since"),
        (["https://fhir.example.org/r4?_since=yesterday"], "_since"),
        (["https://fhir.example.org/r4", "--full", "--since", "2026-01-31T00:00:00Z"], "--full"),
        (["https://fhir.example.org/r4", "--overlap", "soon"], "--overlap"),
        (["https://fhir.example.org/r4", "--hours", "0"], "--hours"),
        (["https://fhir.example.org/r4", "--parallel", "0"], "--parallel"),
        (["https://[::1/r4"], "address"),
    ],
)
def test_usage(clinmart: Clinmart, tmp_path: Path, arguments: list[str], says: str) -> None:
    """One line that names the option, before anything is asked."""
    outcome = clinmart("load", *arguments, "--mart", tmp_path / "m", "--source", "s")
    assert outcome.code == 2, outcome.err
    assert outcome.err.count("\n") == 1
    assert says in outcome.err


def _process(*arguments: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "flows.cli.main", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ))


def _wait_for(file: Path, pattern: str) -> None:
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size for path in file.glob(pattern)):
        assert time.monotonic() < deadline, "nothing was downloaded"
        time.sleep(0.01)


@pytest.mark.parametrize("command", ["fetch", "load"])
def test_kill_9_in_mid_download(clinmart: Clinmart, server: BulkServer, tmp_path: Path, command: str) -> None:
    """The next process goes on with the same export, and asks only for the rest of the file."""
    server.faults["m1"].append(held(20_000))
    mart = tmp_path / "m"
    arguments: dict[str, list[object]] = {
        "fetch": ["fetch", server.url + "/fhir", "--out", tmp_path / "m.landing" / "x"],
        "load": ["load", server.url + "/fhir", "--mart", mart, "--source", "s"],
    }
    with _process(*arguments[command]) as first:
        try:
            _wait_for(tmp_path, "m.landing/*/.Medication.000.ndjson.part")
        finally:
            first.kill()
    assert first.returncode == -signal.SIGKILL
    server.gate.set()
    outcome = clinmart(*arguments[command], "--json")
    assert outcome.code == 0, outcome.err
    assert len(_kick_offs(server)) == 1
    assert int(server.files_asked("m1")[1].headers["range"].removeprefix("bytes=").rstrip("-")) > 10_000
    if command == "fetch":
        assert clinmart("load", tmp_path / "m.landing" / "x", "--mart", mart, "--source", "s").code == 0
    assert query(mart, "SELECT count(*) FROM medication") == [(301,)]
    assert len(_exports(mart)) == 1


def test_sigterm_drains(clinmart: Clinmart, server: BulkServer, tmp_path: Path) -> None:
    """What has landed is committed, exit 143; the same command goes on."""
    server.faults["m1"].append(held(20_000))
    mart = tmp_path / "m"
    arguments = ["load", server.url + "/fhir", "--mart", mart, "--source", "s", "--json"]
    with _process(*arguments) as first:
        try:
            _wait_for(tmp_path, "m.landing/*/Basic.000.ndjson")
            _wait_for(tmp_path, "m.landing/*/.Medication.000.ndjson.part")
            first.send_signal(signal.SIGTERM)
            out, err = first.communicate(timeout=60)
        finally:
            first.kill()
    assert (first.returncode, json.loads(out)["status"]) == (143, "drained"), err
    assert _exports(mart) == []
    server.gate.set()
    assert clinmart(*arguments).code == 0
    assert len(_kick_offs(server)) == 1
    assert query(mart, "SELECT count(*) FROM medication") == [(301,)]


def test_a_load_that_died_after_the_fetch(
    clinmart: Clinmart, server: BulkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has landed and was not loaded is loaded by the next one, which asks the server for nothing."""
    from schemas.errors import StorageError

    def fails(*_: object, **__: object) -> None:
        raise StorageError("no room")

    with monkeypatch.context() as patch:
        patch.setattr("flows.session.LoadSession.finish", fails)
        assert _load(clinmart, server, tmp_path / "m").code == 5
    before = len(server.asked)
    assert _load(clinmart, server, tmp_path / "m").code == 0
    assert len(server.asked) == before
    assert len(_exports(tmp_path / "m")) == 1


def test_the_mart_is_not_held_while_the_server_works(clinmart: Clinmart, server: BulkServer, tmp_path: Path) -> None:
    """A mart that another loader holds is no reason not to ask; the load then says so, and nothing is lost."""
    from stores.lock import loader_lock

    with loader_lock(tmp_path / "m"):
        assert _load(clinmart, server, tmp_path / "m").code == 6
    assert len(_kick_offs(server)) == 1
    assert _load(clinmart, server, tmp_path / "m").code == 0
    assert len(_kick_offs(server)) == 1


def test_cut_connections_change_nothing(clinmart: Clinmart, server: BulkServer, tmp_path: Path) -> None:
    """The mart of a load through faults is that of one without."""
    assert _load(clinmart, server, tmp_path / "good").code == 0
    server.faults["m1"].extend([cut(9000, reset=True), status(503, Retry_After="0")])
    server.faults["b"].append(html())
    assert _load(clinmart, server, tmp_path / "bad").code == 0
    assert contents(tmp_path / "bad") == contents(tmp_path / "good")
