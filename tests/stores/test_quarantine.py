"""Reading the quarantine: counted by reason, listed without payload, found by the beginning of an id."""

from __future__ import annotations

import pytest

from schemas.records import Rejection
from schemas.staged import StagedUnit
from stores.commit import commit
from stores.quarantine import by_reason, entries, entry
from stores.staging import Stage
from tests.stores.desk import T0, TYPES, Desk


def _refuse(line: int, reason: str, payload: bytes = b"{}") -> Rejection:
    return Rejection(
        "/in/a", line, line * 10, "Unknown", None, reason, None, None, "It is wrong.", payload, len(payload)
    )


@pytest.fixture
def filled(desk: Desk) -> Desk:
    """Three lines of one source and one of another."""
    for source, rejections in (
        ("s", [_refuse(1, "no_id"), _refuse(2, "malformed_json", b"\xff"), _refuse(3, "malformed_json")]),
        ("other", [_refuse(1, "no_id")]),
    ):
        report = desk.report(source)
        stage = Stage(desk.folder / "mart", report.load_id)
        commit(desk.connection, StagedUnit(rejections=stage.write_rejections(source, rejections, T0)), report, TYPES)
    return desk


def test_by_reason(filled: Desk) -> None:
    """Counts by reason, most first, of all sources or one; what was given up counts, what was settled not."""
    assert [(r["reason"], r["lines"]) for r in by_reason(filled.connection)] == [("malformed_json", 2), ("no_id", 2)]
    assert [(r["reason"], r["lines"]) for r in by_reason(filled.connection, "other")] == [("no_id", 1)]
    filled.connection.execute("UPDATE etl.quarantine SET state = 'dead' WHERE reason = 'no_id'")
    told = [(r["reason"], r["lines"], r["dead"]) for r in by_reason(filled.connection)]
    assert told == [("malformed_json", 2, 0), ("no_id", 2, 2)]
    for settled in ("replayed", "replaced"):
        filled.connection.execute("UPDATE etl.quarantine SET state = ? WHERE reason = 'no_id'", [settled])
        assert [(r["reason"], r["lines"]) for r in by_reason(filled.connection)] == [("malformed_json", 2)]


def test_entries(filled: Desk) -> None:
    """Lines are listed without payload, newest load first, filtered and limited."""
    found = entries(filled.connection)
    assert [(e["source"], e["line"]) for e in found] == [("other", 1), ("s", 1), ("s", 2), ("s", 3)]
    assert all("payload" not in e for e in found)
    assert [e["line"] for e in entries(filled.connection, reason="malformed_json", source="s")] == [2, 3]
    assert entries(filled.connection, reason="malformed_json", source="other") == []
    assert len(entries(filled.connection, limit=2)) == 2


def test_entry_by_beginning(filled: Desk) -> None:
    """A unique beginning finds the line with its bytes; an ambiguous, unknown or empty one finds nothing."""
    wanted = entries(filled.connection, reason="malformed_json")[0]
    found = entry(filled.connection, wanted["quarantine_id"][:12])
    assert found is not None
    assert (found["line"], bytes(found["payload"])) == (2, b"\xff")
    filled.connection.execute("UPDATE etl.quarantine SET quarantine_id = 'same' || quarantine_id")
    for beginning in ("same", "zzz", ""):
        assert entry(filled.connection, beginning) is None
