"""`clinmart audit`, and that commands are on record, as a user calls them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fhir.resources.R4B.auditevent import AuditEvent

from stores.audit.merkle import verify_consistency, verify_inclusion
from tests.flows.inputs import Outcome, medication, write

Clinmart = Callable[..., Outcome]


@pytest.fixture
def mart(clinmart: Clinmart, tmp_path: Path) -> Path:
    """A mart of one load, with a refused line."""
    inputs = write(tmp_path / "in.ndjson", medication("a"), b"{")
    assert clinmart("load", inputs, "--mart", tmp_path / "m", "--source", "s", "--reason", "first, of ward 7").code == 3
    return tmp_path / "m"


def _actions(mart: Path) -> list[tuple[str, str | None]]:
    lines = (mart.with_name("m.audit") / "000001.jsonl").read_bytes().splitlines()
    return [(one["action"], one.get("why")) for one in map(json.loads, lines) if one["phase"] != "outcome"]


def test_commands_are_on_record(
    clinmart: Clinmart, mart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who looks at or changes a mart is told with the reason given, of which the environment has the default."""
    monkeypatch.setenv("CLINMART_REASON", "nightly")
    before = len(_actions(mart))
    assert clinmart("status", "--mart", mart, "--json").code == 0
    (line,) = clinmart("quarantine", "list", "--mart", mart, "--json").json["entries"]
    name = line["quarantine_id"]
    assert clinmart("quarantine", "show", name, "--mart", mart).code == 0
    assert clinmart("publish", tmp_path / "out", "--mart", mart, "--to", "parquet").code == 0
    assert clinmart("key", "rotate", "sign", "--mart", mart, "--reason", "left").code == 0
    assert clinmart("repair", "--mart", mart).code == 0
    found = _actions(mart)[before:]
    assert ("key.rotate", "left") in found
    rest = [(action, why) for action, why in found if action != "key.rotate"]
    named = ["status", "quarantine.list", "quarantine.show", "publish", "repair"]
    assert rest == [(action, "nightly") for action in named]
    assert clinmart("audit", "verify", "--mart", mart).code == 0


def test_look_that_cannot_be_recorded(clinmart: Clinmart, mart: Path) -> None:
    """A refused line is not shown then; counts are, with a warning."""
    folder = mart.with_name("m.audit")
    folder.rename(mart.with_name("aside"))
    folder.write_text("in the way")
    shown = clinmart("quarantine", "show", "0", "--mart", mart)
    assert (shown.code, shown.out) == (5, b"")
    assert clinmart("status", "--mart", mart, "--json").code == 0


def test_verify(clinmart: Clinmart, mart: Path) -> None:
    """A whole trail is 0, a broken one 4, with the place of the first bad record."""
    found = clinmart("audit", "verify", "--mart", mart, "--json")
    assert (found.code, found.json["status"], found.json["mart"]["versions"]) == (0, "ok", 1)
    assert "versions of the mart" in clinmart("audit", "verify", "--mart", mart).out.decode()
    path = mart.with_name("m.audit") / "000001.jsonl"
    path.write_bytes(path.read_bytes().replace(b"ward 7", b"ward 8"))
    found = clinmart("audit", "verify", "--mart", mart, "--json")
    assert (found.code, found.json["status"]) == (4, "broken")
    fault = found.json["faults"][0]
    assert (fault["segment"], fault["line"], fault["number"]) == ("000001.jsonl", 2, 2)
    assert "record 2 was altered" in found.err
    assert clinmart("audit", "export", "--mart", mart).code == 4
    assert clinmart("audit", "restart", "--mart", mart, "--reason", "tried", "--json").json["aside"]
    assert clinmart("audit", "verify", "--mart", mart).code == 0
    assert clinmart("audit", "restart", "--mart", mart, "--reason", " ").code == 2


def test_export_as_csv(clinmart: Clinmart, mart: Path, tmp_path: Path) -> None:
    """A line for each record, to stdout or a file."""
    rows = list(csv.DictReader(io.StringIO(clinmart("audit", "export", "--mart", mart).out.decode())))
    assert [row["number"] for row in rows] == [str(n) for n in range(1, len(rows) + 1)]
    load = next(row for row in rows if row["action"] == "load" and row["phase"] == "outcome")
    assert (load["outcome"], load["source"]) == ("quarantined", "s")
    assert json.loads(load["detail"])["counts"]["Medication"]["applied"] == 1
    assert rows[-1]["action"] == "audit.export"
    out = tmp_path / "audit.csv"
    told = clinmart("audit", "export", "--mart", mart, "--out", out, "--json").json
    assert told == {"file": str(out), "format": "csv", "records": len(rows) + 1}
    assert clinmart("audit", "export", "--mart", mart, "--json").code == 2
    assert clinmart("audit", "export", "--mart", mart, "--format", "pdf").code == 2


def test_export_as_fhir(clinmart: Clinmart, mart: Path) -> None:
    """Every record is an AuditEvent that fhir.resources takes, with typed codes, agents, source and entity."""
    events = [
        json.loads(line) for line in clinmart("audit", "export", "--mart", mart, "--format", "fhir").out.splitlines()
    ]
    for one in events:
        AuditEvent.model_validate(one)
    by_action = {one["subtype"][0]["code"]: one for one in events}
    assert by_action["load"]["type"]["code"] == "110107"
    assert by_action["load"]["outcome"] == "4"
    assert by_action["commit"]["outcome"] == "0"
    assert [agent["requestor"] for agent in by_action["load"]["agent"]] == [True, False]
    begun = next(one for one in events if one["subtype"][0]["code"] == "load")
    assert begun["purposeOfEvent"] == [{"text": "first, of ward 7"}]


def test_prove(clinmart: Clinmart, mart: Path) -> None:
    """Proofs hold without the trail."""
    told = clinmart("audit", "prove", "3", "--mart", mart).json
    path = [bytes.fromhex(one) for one in told["inclusion"]]
    assert verify_inclusion(bytes.fromhex(told["hash"]), 2, told["size"], path, bytes.fromhex(told["root"]))
    told = clinmart("audit", "prove", "--since", "2", "--size", "5", "--mart", mart).json
    path = [bytes.fromhex(one) for one in told["consistency"]]
    assert verify_consistency(2, 5, path, bytes.fromhex(told["before"]), bytes.fromhex(told["root"]))
    for bad in (["99"], [], ["1", "--since", "1"], ["1", "--size", "99"]):
        assert clinmart("audit", "prove", *bad, "--mart", mart).code == 2
