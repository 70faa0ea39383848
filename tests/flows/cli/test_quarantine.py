"""Seeing what was refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flows.inputs import Outcome, medication, write

Clinmart = Callable[..., Outcome]
BAD = b'{"resourceType":"Medication","id":"c","code":\xff}'


@pytest.fixture
def mart(clinmart: Clinmart, tmp_path: Path) -> Path:
    """A mart with one good line and three refused ones."""
    write(tmp_path / "in.ndjson", medication("a"), BAD, b"null", b"{")
    outcome = clinmart("load", tmp_path / "in.ndjson", "--mart", tmp_path / "m", "--source", "s")
    assert outcome.code == 3
    assert b"quarantine list" in outcome.out
    return tmp_path / "m"


def test_list(clinmart: Clinmart, mart: Path) -> None:
    """Reasons with their counts and the lines with their place; filters hold for lines."""
    found = clinmart("quarantine", "list", "--mart", mart, "--json").json
    assert {(r["reason"], r["lines"]) for r in found["reasons"]} == {
        ("invalid_utf8", 1),
        ("not_an_object", 1),
        ("malformed_json", 1),
    }
    assert sorted(e["line"] for e in found["entries"]) == [2, 3, 4]
    some = clinmart("quarantine", "list", "--mart", mart, "--json", "--reason", "malformed_json").json
    assert [e["line"] for e in some["entries"]] == [4]
    assert clinmart("quarantine", "list", "--mart", mart, "--json", "--source", "other").json["entries"] == []
    assert len(clinmart("quarantine", "list", "--mart", mart, "--json", "--limit", 2).json["entries"]) == 2


def test_list_for_people(clinmart: Clinmart, mart: Path) -> None:
    """On a terminal the reasons are shown, and never the payload."""
    outcome = clinmart("quarantine", "list", "--mart", mart)
    assert outcome.code == 0
    assert b"malformed_json" in outcome.out
    assert b"resourceType" not in outcome.out


def test_show(clinmart: Clinmart, mart: Path) -> None:
    """One line by the beginning of its id: raw byte for byte, or as JSON, or for people."""
    listed = clinmart("quarantine", "list", "--mart", mart, "--json", "--reason", "invalid_utf8").json["entries"]
    name = listed[0]["quarantine_id"]
    assert clinmart("quarantine", "show", name, "--mart", mart, "--raw").out == BAD
    shown = clinmart("quarantine", "show", name[:10], "--mart", mart, "--json").json
    assert (shown["quarantine_id"], shown["line"], shown["payload_bytes"]) == (name, 2, len(BAD))
    assert "\\xff" in shown["payload"]
    people = clinmart("quarantine", "show", name, "--mart", mart)
    assert people.code == 0
    assert b"invalid_utf8" in people.out


def test_show_unknown(clinmart: Clinmart, mart: Path) -> None:
    """An id that no refused line has is a usage error in one line."""
    outcome = clinmart("quarantine", "show", "zzz", "--mart", mart)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert "zzz" in outcome.err
