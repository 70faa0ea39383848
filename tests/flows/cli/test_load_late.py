"""Rows behind the event watermark: merged, refused or dropped, and always counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flows.inputs import Outcome, medication, query, write

Clinmart = Callable[..., Outcome]


def _day(day: int) -> str:
    return f"2024-01-{day:02d}T00:00:00Z"


@pytest.fixture
def mart(clinmart: Clinmart, tmp_path: Path) -> Path:
    """A mart whose Medications reach to the tenth of January."""
    first = write(tmp_path / "1.ndjson", medication("a", updated=_day(10)), medication("b", updated=_day(2)))
    outcome = clinmart("load", first, "--mart", tmp_path / "m", "--source", "s", "--json")
    assert outcome.json["late"] == {}
    return tmp_path / "m"


@pytest.fixture
def second(tmp_path: Path) -> Path:
    """Two late rows; one in time, one without a time, one that is refused anyway, one of another type."""
    return write(
        tmp_path / "2.ndjson",
        medication("c", updated=_day(9)),
        medication("d", updated=_day(1)),
        medication("e", updated=_day(10)),
        medication("f", updated=None),
        medication("bad id", updated=_day(1)),
        b'{"resourceType":"Basic","id":"b","meta":{"lastUpdated":"2001-01-01T00:00:00Z"}}',
    )


def _load(clinmart: Clinmart, mart: Path, *more: object) -> Outcome:
    outcome = clinmart("load", *more, "--mart", mart, "--source", "s", "--json")
    for counts in outcome.json["resources"].values():
        assert counts["read"] == sum(number for name, number in counts.items() if name != "read")
    return outcome


def _ids(mart: Path) -> str:
    return "".join(name for (name,) in query(mart, "SELECT id FROM medication ORDER BY id"))


@pytest.mark.parametrize(
    ("policy", "lateness", "late", "kept"),
    [
        ("merge", "0", 2, "abcdef"),
        ("quarantine", "0", 2, "abef"),
        ("discard", "0", 2, "abef"),
        ("quarantine", "36h", 1, "abcef"),
        ("discard", "2d", 1, "abcef"),
        ("discard", "2w", 0, "abcdef"),
    ],
)
def test_policies(
    clinmart: Clinmart, mart: Path, second: Path, policy: str, lateness: str, late: int, kept: str
) -> None:
    """What is late is by the policy in the tables, in quarantine or suppressed; a second load says the same."""
    options = (second, "--late-policy", policy, "--lateness", lateness)
    for _ in range(2):
        outcome = _load(clinmart, mart, *options)
        counts = outcome.json["resources"]["Medication"]
        assert counts["read"] == 5
        assert counts["quarantined"] == 1 + (late if policy == "quarantine" else 0)
        assert counts["suppressed"] == (late if policy == "discard" else 0)
        assert _ids(mart) == kept
    refused = query(mart, "SELECT resource_id, payload FROM etl.quarantine WHERE reason = 'late' ORDER BY 1")
    lines = {json.loads(line)["id"]: line for line in second.read_bytes().splitlines()}
    expected = sorted(set("abcdef") - set(kept)) if policy == "quarantine" else []
    assert refused == [(name, lines[name]) for name in expected]
    told = query(mart, "SELECT late FROM etl.load ORDER BY started_at")
    assert told == [([],), ([{"resource_type": "Medication", "rows": late}] if late else [],), ([],)]


@pytest.mark.parametrize("policy", ["quarantine", "discard"])
def test_held_rows_come_in_later(clinmart: Clinmart, mart: Path, second: Path, policy: str) -> None:
    """With `merge` a file of which rows were held back is read again, and the quarantine knows."""
    _load(clinmart, mart, second, "--late-policy", policy)
    outcome = _load(clinmart, mart, second)
    counts = outcome.json["resources"]["Medication"]
    assert (counts["applied"], counts["quarantined"], counts["suppressed"]) == (2, 1, 0)
    assert _ids(mart) == "abcdef"
    states = query(mart, "SELECT DISTINCT state FROM etl.quarantine WHERE reason = 'late'")
    assert states == ([("replayed",)] if policy == "quarantine" else [])
    assert _load(clinmart, mart, second).json["resources"]["Medication"]["duplicate"] == 4


def test_a_load_is_not_late_to_itself(clinmart: Clinmart, tmp_path: Path) -> None:
    """What one load brings in several commits and files is judged by what stood before it; deletes are judged too."""
    mart = tmp_path / "m"
    for day in (9, 3):
        write(tmp_path / f"in/{9 - day}.ndjson", medication(f"d{day}", updated=_day(day)))
    assert _load(clinmart, mart, tmp_path / "in", "--late-policy", "discard").json["late"] == {}
    gone = write(tmp_path / "gone.csv", f"Medication,d9,{_day(8)}".encode(), f"Medication,d3,{_day(9)}".encode())
    outcome = _load(clinmart, mart, "--deletes", gone, "--late-policy", "discard")
    counts = outcome.json["resources"]["Medication"]
    assert (counts["applied"], counts["suppressed"], outcome.json["late"]) == (1, 1, {"Medication": 1})


def test_status_shows_watermarks(clinmart: Clinmart, mart: Path, second: Path) -> None:
    """Newest, what the next load will call late, and the lateness of the last."""
    _load(clinmart, mart, second, "--lateness", "36h")
    (_, row) = clinmart("status", "--mart", mart, "--json").json["sources"]
    assert row["newest"] == "2024-01-10 00:00:00+00:00"
    assert row["late_before"] == "2024-01-08 12:00:00+00:00"
    assert (row["lateness"], row["read_cursor"]) == (36 * 3600.0, None)
    assert clinmart("status", "--mart", mart).code == 0


@pytest.mark.parametrize("lateness", ["2", "-1d", "d", "2y", "1e3s", "", "9" * 12 + "d"])
def test_what_is_no_duration(clinmart: Clinmart, tmp_path: Path, lateness: str) -> None:
    """One line, exit 2."""
    outcome = clinmart("load", "x", "--mart", tmp_path / "m", "--source", "s", "--lateness", lateness)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
