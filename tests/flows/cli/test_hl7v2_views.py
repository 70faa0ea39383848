"""Views and refreshes where HL7 v2 messages made rows: what they leave out is said, and nothing is undone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flows.cli.test_load_hl7v2 import load, message, result, written
from tests.flows.inputs import Outcome, contents, query

Clinmart = Callable[..., Outcome]
PATIENT = {
    "resourceType": "Patient",
    "id": "f1",
    "meta": {"lastUpdated": "2024-01-01T00:00:00Z"},
    "name": [{"family": "Fhir"}],
}


@pytest.fixture
def view(tmp_path: Path) -> Path:
    path = tmp_path / "view.json"
    columns = [{"name": "family", "path": "name.family.first()"}]
    path.write_text(
        json.dumps(
            {
                "resourceType": "ViewDefinition",
                "resource": "Patient",
                "status": "active",
                "name": "people",
                "select": [{"column": columns}],
            }
        )
    )
    return path


def _fhir(tmp_path: Path, ident: str = "f1") -> Path:
    path = tmp_path / "patients.ndjson"
    path.write_text(json.dumps(PATIENT | {"id": ident}) + "\n")
    return path


def test_a_view_says_what_it_has_not(clinmart: Clinmart, tmp_path: Path, view: Path) -> None:
    """When it is added to a mart with rows of messages, and at each load of messages."""
    mart = tmp_path / "m.duckdb"
    load(clinmart, mart, written(tmp_path / "a.hl7", message("1", "ADT^A01", "20240301", "PID|1||x^^^H^MR||Doe")))
    added = clinmart("view", "add", view, "--mart", mart)
    assert "HL7 v2 messages made or changed, of 1 file, are not in it" in added.err
    report = load(clinmart, mart, _fhir(tmp_path))
    assert report["notes"] == []
    report = load(clinmart, mart, written(tmp_path / "b.hl7", result("2", "20240302")))
    assert report["notes"] == [
        "the view people has no rows of Patient resources that HL7 v2 messages made or changed: the table of the type "
        "has them"
    ]
    assert query(mart, "SELECT family FROM people") == [("Fhir",)]


def test_a_view_without_messages_says_nothing(clinmart: Clinmart, tmp_path: Path, view: Path) -> None:
    """Nothing is left out."""
    mart = tmp_path / "m.duckdb"
    load(clinmart, mart, _fhir(tmp_path))
    assert clinmart("view", "add", view, "--mart", mart).err == ""


def test_run_refuses_messages(clinmart: Clinmart, tmp_path: Path, view: Path) -> None:
    """And what it tells to do instead does it."""
    file = written(tmp_path / "a.hl7", message("1", "ADT^A01", "20240301", "PID|1||x^^^H^MR||Doe"))
    outcome = clinmart("view", "run", view, file)
    assert outcome.code == 2
    assert "holds HL7 v2 messages, and views read FHIR: load it with --to-fhir DIR" in outcome.err
    load(clinmart, tmp_path / "m.duckdb", file, "--to-fhir", tmp_path / "fhir")
    assert clinmart("view", "run", view, tmp_path / "fhir").json == {"family": "Doe"}


def test_refresh_leaves_what_messages_told(clinmart: Clinmart, tmp_path: Path) -> None:
    """Rows of messages, and rows of FHIR that they changed, stay as they are in whatever order they came."""
    mart = tmp_path / "m.duckdb"
    segment = "PID|1||x^^^H^MR||Doe||19800102|F|||1 Main St^^Town"
    load(clinmart, mart, written(tmp_path / "a.hl7", message("1", "ADT^A01", "20230301", segment)))
    ((ident,),) = query(mart, "SELECT id FROM patient")
    load(clinmart, mart, _fhir(tmp_path, ident))  # newer, and without an address
    load(
        clinmart, mart, written(tmp_path / "b.hl7", message("2", "ADT^A08", "20240301", "PID|1||x^^^H^MR||||19810102"))
    )
    other = tmp_path / "other.ndjson"
    other.write_text(json.dumps(PATIENT | {"id": "alone"}) + "\n")
    load(clinmart, mart, other)
    before = contents(mart)
    outcome = clinmart("refresh", "patient", "--mart", mart, "--json")
    assert outcome.code == 0
    assert {name: outcome.json[name] for name in ("refreshed", "messages", "missing", "status")} == {
        "refreshed": 1,
        "messages": 2,
        "missing": [],
        "status": "ok",
    }
    assert outcome.json["left"] >= 1
    assert contents(mart) == before
    assert "2 files of HL7 v2 messages not read again" in clinmart("refresh", "patient", "--mart", mart).err
