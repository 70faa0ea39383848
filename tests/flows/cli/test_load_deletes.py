"""Deletes from manifests, Bundles and tables, through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flows.inputs import Outcome, contents, medication, query, write

Clinmart = Callable[..., Outcome]
MANY = [medication(name) for name in "abcd"]


def _load(clinmart: Clinmart, mart: Path, *more: object) -> Outcome:
    return clinmart("load", *more, "--mart", mart, "--source", "s", "--json")


def _counts(outcome: Outcome) -> dict[str, dict[str, int]]:
    return {
        kind: {name: number for name, number in counts.items() if number}
        for kind, counts in outcome.json["resources"].items()
    }


def _ids(mart: Path) -> str:
    return "".join(name for (name,) in query(mart, "SELECT id FROM medication ORDER BY id"))


def _bundle(*urls: str, **more: object) -> bytes:
    entries = [{"request": {"method": "DELETE", "url": url}} for url in urls]
    return json.dumps({"resourceType": "Bundle", "type": "transaction", **more, "entry": entries}).encode()


def test_deletes_of_an_export(clinmart: Clinmart, tmp_path: Path) -> None:
    """The files that a manifest names are applied at its time; then its cursor moves. Again: all duplicates."""
    mart = tmp_path / "m"
    export = tmp_path / "export"
    write(export / "a.ndjson", *MANY)
    write(export / "gone.ndjson", _bundle("Medication/a", "Medication/zz", id="x"), _bundle("Patient/p"))
    manifest = {
        "transactionTime": "2024-02-01T01:00:00+01:00",
        "output": [{"type": "Medication", "url": "a.ndjson"}],
        "deleted": [{"type": "Bundle", "url": "gone.ndjson"}],
        "error": [],
    }
    write(export / "manifest.json", json.dumps(manifest).encode())
    outcome = _load(clinmart, mart, export)
    assert (outcome.code, outcome.err) == (0, "")
    assert _counts(outcome) == {
        "Medication": {"read": 6, "applied": 5, "superseded": 1},
        "Patient": {"read": 1, "applied": 1},
    }
    assert _ids(mart) == "bcd"
    assert query(mart, "SELECT id FROM history.medication") == [("a",)]
    assert query(mart, "SELECT DISTINCT last_updated::VARCHAR FROM etl.tombstone") == [("2024-02-01 00:00:00+00",)]
    (row,) = clinmart("status", "--mart", mart, "--json").json["sources"]
    assert (row["resource_type"], row["read_cursor"]) == ("Medication", "2024-02-01 00:00:00+00:00")
    before = contents(mart)
    assert _counts(_load(clinmart, mart, export)) == {
        "Medication": {"read": 6, "duplicate": 6},
        "Patient": {"read": 1, "duplicate": 1},
    }
    assert contents(mart) == before


@pytest.mark.parametrize("suffix", [".csv", ".ndjson", ".json", ".csv.gz"])
def test_files_of_deletes(clinmart: Clinmart, tmp_path: Path, suffix: str) -> None:
    """A table, Bundles, one Bundle, packed: alone, and with other inputs; the books add up and add up again."""
    import gzip

    mart, gone = tmp_path / "m", tmp_path / f"gone{suffix}"
    table = b"resource_type,id\nMedication,a\nMedication,b\nMedication,b\nBogus,1\n"
    urls = ("Medication/a", "Medication/b", "Medication/b", "Bogus/1")
    content = table if "csv" in suffix else _bundle(*urls, id="carrier")
    gone.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    _load(clinmart, mart, write(tmp_path / "in.ndjson", *MANY))
    outcome = _load(clinmart, mart, "--deletes", gone)
    assert outcome.code == 3
    expected = {"Medication": {"read": 3, "applied": 2, "duplicate": 1}, "Unknown": {"read": 1, "quarantined": 1}}
    assert _counts(outcome) == expected
    assert _ids(mart) == "cd"
    again = _counts(_load(clinmart, mart, tmp_path / "in.ndjson", "--deletes", gone))
    assert again == {"Medication": {"read": 7, "duplicate": 7}, "Unknown": {"read": 1, "quarantined": 1}}
    _load(clinmart, mart, write(tmp_path / "new.ndjson", medication("a", "back", updated="2999-01-01T00:00:00Z")))
    assert _ids(mart) == "acd"


def test_bytes_known_as_input_are_not_known_as_deletes(clinmart: Clinmart, tmp_path: Path) -> None:
    """A table that was first loaded as data by mistake is read when it is named rightly."""
    mart, gone = tmp_path / "m", write(tmp_path / "gone.ndjson", b"Medication,a")
    _load(clinmart, mart, write(tmp_path / "in.ndjson", *MANY))
    assert _counts(_load(clinmart, mart, gone)) == {"Unknown": {"read": 1, "quarantined": 1}}
    assert _counts(_load(clinmart, mart, "--deletes", gone)) == {"Medication": {"read": 1, "applied": 1}}
    assert _ids(mart) == "bcd"


def test_nothing_named(clinmart: Clinmart, tmp_path: Path) -> None:
    """Neither inputs nor deletes: one line, exit 2."""
    outcome = clinmart("load", "--mart", tmp_path / "m", "--source", "s")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
