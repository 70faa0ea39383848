"""What a mart holds, from the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.flows.inputs import Outcome, medication, write


def test_status(clinmart: Callable[..., Outcome], tmp_path: Path) -> None:
    """Tables, sources, loads and quarantine as one JSON object, and as tables for people."""
    mart = tmp_path / "m"
    write(tmp_path / "1.ndjson", medication("a", updated="2024-01-01T00:00:00Z"), b"{")
    write(tmp_path / "2.ndjson", medication("a", "y", updated="2024-02-01T00:00:00+02:00"))
    clinmart("load", tmp_path / "1.ndjson", "--mart", mart, "--source", "s")
    clinmart("load", tmp_path / "2.ndjson", "--mart", mart, "--source", "s")
    found = clinmart("status", "--mart", mart, "--json").json
    assert found["tables"] == [{"table": "medication", "rows": 1, "earlier_versions": 1}]
    assert [(s["source"], s["resource_type"], s["newest"]) for s in found["sources"]] == [
        ("s", "Medication", "2024-01-31 22:00:00+00:00")
    ]
    assert [(x["status"], x["read"], x["applied"], x["quarantined"]) for x in found["loads"]] == [
        ("ok", 1, 1, 0),
        ("quarantined", 2, 1, 1),
    ]
    assert [(q["reason"], q["lines"]) for q in found["quarantine"]] == [("malformed_json", 1)]
    people = clinmart("status", "--mart", mart)
    assert people.code == 0
    assert b"medication" in people.out
    assert people.err == ""
