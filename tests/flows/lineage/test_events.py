"""Events of OpenLineage: one START and one end a run, with facets that the standard's schemas ask for."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from flows.opening import open_session
from flows.settings import LoadSettings
from stores.lineage_runs import LineageRuns, OpenRun
from tests.flows.inputs import Outcome, medication, write

# What https://openlineage.io/spec/2-0-2/OpenLineage.json and the facets' schemas require, in our own words: the package
# ships classes, not schemas.
_TEXT = {"type": "string"}
_FACET = {"type": "object", "properties": {"_producer": {"type": "string", "format": "uri"},
          "_schemaURL": {"type": "string", "format": "uri", "pattern": "^https://openlineage.io/spec/.*#/\\$defs/"}},
          "required": ["_producer", "_schemaURL"]}  # fmt: skip


def _facet(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"allOf": [_FACET, {"type": "object", "properties": properties, "required": list(required)}]}


def _list(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


_COUNT = {"type": "integer", "minimum": 0}
_FIELD = _object({"name": _TEXT, "type": _TEXT, "description": _TEXT}, "name")
_CHANGE = _object({"type": {"enum": ["DIRECT", "INDIRECT"]}, "subtype": _TEXT, "masking": {"type": "boolean"}}, "type")
_INPUT_FIELD = _object(
    {"namespace": _TEXT, "name": _TEXT, "field": _TEXT, "transformations": _list(_CHANGE)}, "namespace", "name", "field"
)
_ORIGINS = _object({"inputFields": _list(_INPUT_FIELD)}, "inputFields")
_METRICS = _facet(
    {"rowCount": _COUNT, "bytes": _COUNT, "fileCount": _COUNT, "columnMetrics": {"type": "object"}}, "columnMetrics"
)
_ASSERTION = _object({"assertion": _TEXT, "success": {"type": "boolean"}, "column": _TEXT}, "assertion", "success")
_DATASET = {
    "namespace": _TEXT,
    "name": _TEXT,
    "facets": {
        "type": "object",
        "properties": {
            "schema": _facet({"fields": _list(_FIELD)}),
            "columnLineage": _facet(
                {"fields": {"additionalProperties": _object({"inputFields": _list(_INPUT_FIELD)}, "inputFields")}},
                "fields",
            ),
        },
        "additionalProperties": _FACET,
    },
}
_INPUT = _DATASET | {
    "inputFacets": {
        "type": "object",
        "properties": {
            "dataQualityMetrics": _METRICS,
            "dataQualityAssertions": _facet({"assertions": _list(_ASSERTION)}, "assertions"),
        },
        "additionalProperties": _FACET,
    }
}
_OUTPUT = _DATASET | {
    "outputFacets": {"type": "object", "properties": {"outputStatistics": _facet({"rowCount": _COUNT})},
                     "additionalProperties": _FACET}
}  # fmt: skip
_EVENT = Draft202012Validator(
    _object(
        {
            "eventTime": {"type": "string", "format": "date-time"},
            "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
            "producer": {"type": "string", "format": "uri"},
            "schemaURL": {"type": "string", "format": "uri"},
            "run": _object({"runId": {"type": "string", "format": "uuid"},
                            "facets": {"additionalProperties": _FACET}}, "runId"),
            "job": _object({"namespace": _TEXT, "name": _TEXT, "facets": {"additionalProperties": _FACET}},
                           "namespace", "name"),
            "inputs": _list(_object(_INPUT, "namespace", "name")),
            "outputs": _list(_object(_OUTPUT, "namespace", "name")),
        },
        "eventTime", "producer", "schemaURL", "run", "job",
    ),
    format_checker=FormatChecker(),
)  # fmt: skip


def events(path: Path) -> list[dict[str, Any]]:
    """The events in a file, each as the standard wants it."""
    found = [json.loads(line) for line in path.read_text().splitlines()]
    for event in found:
        _EVENT.validate(event)
    return found


def states(path: Path) -> list[tuple[str, str]]:
    """Type and beginning of the run of each event."""
    return [(event["eventType"], event["run"]["runId"]) for event in events(path)]


@pytest.fixture
def paths(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A file of two medications, one of them bad, the mart and the file of events."""
    write(tmp_path / "Smith-Ann-1950.ndjson", medication("a"), medication("b", status="Qanary"))
    return tmp_path / "Smith-Ann-1950.ndjson", tmp_path / "m.duckdb", tmp_path / "events.jsonl"


def test_a_load(clinmart: Callable[..., Outcome], paths: tuple[Path, Path, Path]) -> None:
    """START and COMPLETE with counts, elements and columns; no name of a file, no value, no path."""
    data, mart, to = paths
    done = clinmart("load", data, "--mart", mart, "--source", "s", "--lineage", to)
    assert done.code == 3, done.err
    start, end = events(to)
    assert (start["eventType"], end["eventType"]) == ("START", "COMPLETE")
    assert start["run"]["runId"] == end["run"]["runId"]
    kind = next(one for one in end["inputs"] if one["name"] == "Medication")
    assert kind["inputFacets"]["dataQualityMetrics"]["rowCount"] == 2
    checks = {c["name"]: c["success"] for c in kind["inputFacets"]["dataQualityAssertions"]["assertions"]}
    assert checks == {"every_line_has_one_disposition": True, "no_line_quarantined": False}
    (file,) = [one for one in end["inputs"] if one["namespace"] == "file"]
    assert file["name"].startswith("~")
    assert file["inputFacets"]["dataQualityMetrics"]["bytes"] == data.stat().st_size
    (table,) = end["outputs"]
    assert table["outputFacets"]["outputStatistics"]["rowCount"] == 1
    columns = table["facets"]["columnLineage"]["fields"]
    assert columns["code_text"]["inputFields"][0]["field"] == "code.text"
    assert columns["code_text"]["inputFields"][0]["name"] == "Medication"
    assert {field["name"] for field in table["facets"]["schema"]["fields"]} >= {"id", "code_text", "source"}
    text = to.read_text()
    assert not [word for word in ("Smith", "Qanary", str(mart.parent)) if word in text]
    assert to.stat().st_mode & 0o777 == 0o600
    assert not LineageRuns(mart).path.exists()
    clinmart("load", data, "--mart", mart, "--source", "s", "--lineage", to)
    assert len({run for _, run in states(to)}) == 2
    assert file["name"] == next(one for one in events(to)[-1]["inputs"] if one["namespace"] == "file")["name"]


def test_ends(paths: tuple[Path, Path, Path]) -> None:
    """A run that breaks FAILs, one that is stopped ABORTs, one that was killed ABORTs when the next begins."""
    _, mart, to = paths
    settings = LoadSettings(mart, "s", lineage=str(to))
    with pytest.raises(RuntimeError), open_session(settings):
        raise RuntimeError("Qanary is in the text")
    with pytest.raises(KeyboardInterrupt), open_session(settings):
        raise KeyboardInterrupt
    with open_session(settings) as session:
        session.report.status = "drained"
    dead = OpenRun("01234567-89ab-7def-8123-456789abcdef", "l", "s", "load", session.report.started_at, "another")
    LineageRuns(mart).begin(dead)
    with open_session(settings) as session:
        session.finish()
    found = states(to)
    assert [state for state, _ in found] == [
        "START",
        "FAIL",
        "START",
        "ABORT",
        "START",
        "ABORT",
        "ABORT",
        "START",
        "COMPLETE",
    ]
    assert found[6] == ("ABORT", dead.run_id)
    ends = [run for state, run in found if state != "START"]
    assert len(ends) == len({*ends})
    assert "Qanary" not in to.read_text()


def test_nothing_is_sent_unasked(
    clinmart: Callable[..., Outcome], paths: tuple[Path, Path, Path], server: _Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OPENLINEAGE_* send nothing, neither alone nor beside a file."""
    data, mart, to = paths
    monkeypatch.setenv("OPENLINEAGE_URL", server.address)
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "console")
    clinmart("load", data, "--mart", mart, "--source", "s")
    clinmart("load", data, "--mart", mart, "--source", "s", "--lineage", to)
    assert not server.got
    assert len(states(to)) == 2


class _Server(HTTPServer):
    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.keys: list[str | None] = []
        self.status = 201
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.status < 300:
            self.server.got.append((self.path, json.loads(body)))
            self.server.keys.append(self.headers["Authorization"])
        self.send_response(self.server.status)
        if self.server.status == 307:
            self.send_header("Location", "http://127.0.0.1:9/")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[_Server]:
    """A server that takes events."""
    with _Server() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def test_a_server(
    clinmart: Callable[..., Outcome],
    paths: tuple[Path, Path, Path],
    server: _Server,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Events go to the address, with the key from the environment; what it refuses waits for the next run, in order."""
    data, mart, _ = paths
    monkeypatch.setenv("CLINMART_LINEAGE", server.address)
    monkeypatch.setenv("CLINMART_LINEAGE_KEY", "secret-key")
    server.status = 307
    done = clinmart("load", data, "--mart", mart, "--source", "s")
    assert done.code == 3
    assert "lineage could not be sent" in caplog.text
    assert "secret-key" not in caplog.text + done.err
    waiting = LineageRuns(mart)
    assert len(waiting.unsent()) == 2
    assert waiting.path.stat().st_mode & 0o777 == 0o600
    server.status = 201
    clinmart("load", data, "--mart", mart, "--source", "s")
    assert [(path, event["eventType"]) for path, event in server.got] == [
        ("/api/v1/lineage", "START"), ("/api/v1/lineage", "COMPLETE"),
    ] * 2  # fmt: skip
    assert {*server.keys} == {"Bearer secret-key"}
    assert not waiting.path.exists()


def test_wrong_places(clinmart: Callable[..., Outcome], paths: tuple[Path, Path, Path]) -> None:
    """A password in an address and a folder that is not there are refused before anything is loaded."""
    data, mart, to = paths
    told = ("load", data, "--mart", mart, "--source", "s", "--lineage")
    done = clinmart(*told, "https://me:hunter2@lineage.example/")
    assert (done.code, "hunter2" in done.err) == (2, False)
    assert clinmart(*told, to.parent / "no" / "e.jsonl").code == 2
