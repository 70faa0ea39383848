"""A commit is one transaction: all of it or nothing, and its books add up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import polars as pl
import pytest

import stores.commit as subject
from schemas.bookkeeping import BOOKKEEPING
from schemas.records import Rejection
from schemas.staged import StagedUnit
from stores.commit import commit
from stores.staging import Stage
from tests.stores.desk import T0, TYPES, Desk, Version, at, staged

REFUSED = Rejection("/in/0.ndjson", 7, 700, "Medication", "m", "no_id", "id", "no_id", "It has no id.", b"{}", 2)

FOUND = {
    "resource_type": "Medication",
    "id": "a",
    "finding": "note",
    "path": "status",
    "code": "odd",
    "message": "It is odd.",
    "rows": None,
}
COUNTED = FOUND | {"id": None, "code": "common", "rows": 2}


def _unit(desk: Desk, versions: Sequence[Version], rejections: Sequence[Rejection] = ()) -> StagedUnit:
    stage = Stage(desk.folder / "mart", f"stage-{len(list(desk.folder.rglob('*')))}")
    unit = staged(stage, [versions])
    unit.rejections += stage.write_rejections("s", rejections, T0)
    for rejection in rejections:
        unit.receipts[0].resources[rejection.resource_type].read += 1
        unit.receipts[0].resources[rejection.resource_type].quarantined += 1
    unit.findings += stage.write_findings(
        [pl.DataFrame([FOUND, COUNTED, COUNTED], schema_overrides={"rows": pl.Int64})]
    )
    unit.unread[("Medication", "photo")] = 1
    unit.sampled["Medication"] = 2
    return unit


def _everything(desk: Desk) -> dict[str, list[tuple[object, ...]]]:
    names = desk.connection.execute(
        "SELECT table_schema, table_name FROM information_schema.tables ORDER BY ALL"
    ).fetchall()
    return {f"{s}.{t}": desk.connection.execute(f'FROM {s}."{t}" ORDER BY ALL').fetchall() for s, t in names}


@pytest.mark.parametrize(
    "step",
    [
        "merge_rows",
        "keep_refused",
        "keep_findings",
        "keep_unread",
        "save_receipts",
        "number_commit",
        "move_watermarks",
        "save_load",
    ],
)
def test_error_in_a_commit_leaves_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Whatever step fails, and after it has done its work, mart and report are as before; a second try succeeds."""
    desk.load([Version(version_id="1")])
    before = _everything(desk)
    unit = _unit(desk, [Version(version_id="2", time=at(1)), Version("b")], [REFUSED])
    real = getattr(subject, step)

    def fail(*args: object, **named: object) -> None:
        real(*args, **named)
        raise duckdb.OutOfMemoryException("no room")

    monkeypatch.setattr(subject, step, fail)
    report = desk.report()
    with pytest.raises(duckdb.OutOfMemoryException):
        commit(desk.connection, unit, report, TYPES)
    assert _everything(desk) == before
    assert report.total().read == 0
    monkeypatch.setattr(subject, step, real)
    commit(desk.connection, unit, report, TYPES)
    assert desk.current() == "2"


def test_interrupt_rolls_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle is an error like any other."""
    before = _everything(desk)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subject, "move_watermarks", interrupted)
    with pytest.raises(KeyboardInterrupt):
        commit(desk.connection, _unit(desk, [Version()]), desk.report(), TYPES)
    assert _everything(desk) == before


def test_books_of_a_commit(desk: Desk) -> None:
    """Quarantine, findings, unread paths and receipt are there, with the load's name and every documented column."""
    report = desk.report()
    commit(desk.connection, _unit(desk, [Version(), Version()], [REFUSED]), report, TYPES)
    counts = report.resources["Medication"]
    assert (counts.read, counts.applied, counts.duplicate, counts.quarantined) == (3, 1, 1, 1)
    found = _everything(desk)
    for table in ("load", "receipt", "watermark", "quarantine", "validation", "unread"):
        (row, *_) = found[f"etl.{table}"]
        assert len(row) == len(BOOKKEEPING[table])
        assert table == "watermark" or report.load_id in row
    counted = COUNTED | {"rows": 4}
    assert found["etl.validation"] == [(report.load_id, report.source, *row.values()) for row in (FOUND, counted)]
    status, resources = desk.connection.execute("SELECT status, resources FROM etl.load").fetchall()[0]
    assert status == "running"
    assert resources == [{"resource_type": "Medication", **counts.as_dict()}]


def test_refused_lines_are_not_doubled(desk: Desk) -> None:
    """The same refused line in a later load is counted again but kept once."""
    reports = [desk.report(), desk.report()]
    for report in reports:
        commit(desk.connection, _unit(desk, [Version()], [REFUSED]), report, TYPES)
    assert [r.total().quarantined for r in reports] == [1, 1]
    kept = desk.connection.execute("SELECT load_id, payload, state FROM etl.quarantine").fetchall()
    assert kept == [(reports[0].load_id, b"{}", "open")]


def test_watermark_never_goes_back(desk: Desk) -> None:
    """The event watermark is the greatest time seen of a source and type, whatever comes later."""
    desk.load([Version(time=at(5)), Version("b", time=at(3), type="Flag")])
    desk.load([Version("c", time=at(1)), Version("d", time=at(4), type="Flag")])
    desk.load([Version("c", time=at(9))], source="other")
    desk.connection.execute("DELETE FROM stored.medication WHERE source = 's'")
    desk.load([Version("e", time=at(2))])
    marks = "SELECT source, resource_type, event_watermark FROM etl.watermark ORDER BY ALL"
    assert desk.connection.execute(marks).fetchall() == [
        ("other", "Medication", at(9)),
        ("s", "Flag", at(4)),
        ("s", "Medication", at(5)),
    ]


def test_odd_names_are_data(desk: Desk, tmp_path: Path) -> None:
    """Quotes in the source's name and in the folder's are data, not SQL."""
    folder = tmp_path / "it's; DROP TABLE x"
    folder.mkdir()
    odd = Desk(folder, desk.connection)
    assert odd.load([Version()], source="o'brien\"; --").applied == 1
    assert desk.main() == {Version().row("o'brien\"; --")}


def test_load_row_is_written_over(desk: Desk) -> None:
    """A load of several commits has one row, with the counts of all."""
    report = desk.report()
    commit(desk.connection, _unit(desk, [Version()]), report, TYPES)
    commit(desk.connection, _unit(desk, [Version("b")]), report, TYPES)
    subject.save_load(desk.connection, report, finished=T0)
    rows = desk.connection.execute("SELECT load_id, status, resources[1].applied, finished_at FROM etl.load").fetchall()
    assert rows == [(report.load_id, "ok", 2, T0)]
