"""A delete is a version: it hides the row while it is the greatest, in any order of arrival."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from stores.views import add_view, views_of
from tests.stores.desk import T0, TYPES, Desk, Version, at, fold, staged

OLD, NEW = Version(version_id="1", time=at(1)), Version(version_id="3", time=at(3))
GONE = Version(body="", version_id="2", time=at(2), deleted=True)


@pytest.mark.parametrize("kind", ["Medication", "Flag"])
@pytest.mark.parametrize("order", list(itertools.permutations((OLD, GONE, NEW))))
def test_order_does_not_matter(tmp_path: Path, kind: str, order: tuple[Version, ...]) -> None:
    """Together or one by one, each prefix is what the fold says, and the books add up."""
    versions = [replace(v, type=kind) for v in order]
    for cut in ([1, 1, 1], [2, 1], [1, 2], [3]):
        desk = Desk(tmp_path / "-".join(map(str, cut)))
        desk.folder.mkdir()
        done = 0
        for size in cut:
            counts = desk.load(versions[done : done + size])
            done += size
            assert counts.read == size
            assert desk.holds() == fold(("s", v) for v in versions[:done])
        again = desk.load(versions, versions)
        assert (again.read, again.duplicate) == (6, 6)
        assert desk.holds() == fold(("s", v) for v in versions)
        desk.connection.close()


def test_dispositions_of_deletes(desk: Desk) -> None:
    """The greatest is applied, an older one is superseded, a known one is a duplicate."""
    desk.load([OLD])
    first, older, again = desk.load([GONE]), desk.load([replace(GONE, version_id="0", time=at(0))]), desk.load([GONE])
    assert (first.read, first.applied) == (1, 1)
    assert (older.read, older.superseded) == (1, 1)
    assert (again.read, again.duplicate) == (1, 1)
    assert desk.main() == set()
    assert desk.connection.execute("SELECT superseded_by FROM history.medication").fetchall() == [("load-002",)]
    told = "SELECT version_id, load_id, superseded_by FROM etl.tombstone ORDER BY last_updated"
    assert desk.connection.execute(told).fetchall() == [("0", "load-003", "load-003"), ("2", "load-002", None)]
    assert desk.load([NEW]).applied == 1
    assert desk.connection.execute(told).fetchall() == [("0", "load-003", "load-003"), ("2", "load-002", "load-005")]


def test_delete_of_what_was_never_seen(desk: Desk) -> None:
    """It is kept, applies to what comes later, and only to its own source and type."""
    assert desk.load([GONE]).applied == 1
    assert desk.load([OLD]).superseded == 1
    assert desk.load([OLD], source="other").applied == 1
    assert desk.load([replace(OLD, type="Flag")]).applied == 1
    assert desk.main() == {OLD.row("other"), replace(OLD, type="Flag").row("s")}


def test_delete_beats_a_version_of_the_same_time(desk: Desk) -> None:
    """And the same number, whatever their hashes; a greater number of that time stands above it."""
    for seed in range(8):
        live = Version(f"x{seed}", version_id="2", time=at(2))
        desk.load([live, replace(GONE, id=live.id)])
    assert desk.main() == set()
    greater = Version("x0", version_id="3", time=at(2))
    desk.load([greater])
    assert desk.main() == {greater.row("s")}


def test_delete_without_a_time_of_its_own_moves(desk: Desk) -> None:
    """Told again later, it is later: it hides again what had come back in between."""
    told = Version(body="", time=at(2), deleted=True)
    desk.load([OLD])
    desk.load([told])
    desk.load([NEW])
    assert desk.main() == {NEW.row("s")}
    assert desk.load([replace(told, time=at(4))]).applied == 1
    assert desk.main() == set()
    assert desk.deletes() == {(replace(told, time=at(4)).row("s"), True)}
    assert desk.load([told]).duplicate == 1


def test_row_that_comes_back_out_of_history(desk: Desk) -> None:
    """A row without meta that is seen again after its delete is current again, with all its columns."""
    row = Version(time=at(1), status="active")
    desk.load([row])
    desk.load([Version(body="", time=at(2), deleted=True)])
    assert desk.load([replace(row, time=at(3))]).applied == 1
    assert desk.connection.execute("SELECT status FROM main.medication").fetchall() == [("active",)]
    assert desk.history() == set()


def test_views_lose_and_regain_their_rows(desk: Desk) -> None:
    """The table of a user's view has no rows of a deleted resource, and has them again when it comes back."""
    import polars as pl

    from schemas.table import Column
    from stores.commit import commit
    from stores.staging import Stage

    add_view(desk.connection, "seen", "Medication", "{}", [Column("what", "VARCHAR", "")])
    assert [view.name for view in views_of(desk.connection)] == ["seen"]
    for number, version in enumerate((OLD, GONE, NEW, replace(GONE, time=at(9)))):
        report = desk.report()
        stage = Stage(desk.folder / "mart", report.load_id)
        unit = staged(stage, [[version]])
        if not version.deleted:
            rows = {"resource_id": [version.id], "content_hash": [version.content_hash], "row_number": [1]}
            made = pl.DataFrame({**rows, "~line": [0], "what": [version.version_id]})
            unit.views += stage.write_views({"seen": made})
        commit(desk.connection, unit, report, TYPES)
        stage.close()
        found = desk.connection.execute("SELECT what FROM main.seen").fetchall()
        assert found == [[("1",)], [], [("3",)], []][number]


def test_no_tombstones_no_questions(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mart without deletes of a type loads new rows of it without judging them; with one it looks."""
    import stores.merge as subject

    judged: list[str] = []
    real = subject.judge
    monkeypatch.setattr(
        subject, "judge", lambda c, step, **more: (judged.append(step.shown.name), real(c, step, **more))
    )
    desk.load([Version("b")])
    desk.load([replace(GONE, type="Flag")])
    desk.load([Version("c")])
    assert judged == ["resource"]
    desk.load([Version("q", version_id="1", time=T0), replace(GONE, id="q")])
    desk.load([Version("d")])
    assert judged == ["resource", "medication"]
    desk.load([Version("q", version_id="0", time=T0)])
    assert judged == ["resource", "medication", "medication"]
