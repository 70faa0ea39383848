"""Two marts of which neither knows the other, DuckDB's and one of dicts, come to the same from the same histories."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stores import memory
from stores.commit import commit
from stores.memory import MemoryMart
from stores.staging import Stage
from tests.property.histories import ARRIVALS
from tests.stores.desk import TYPES, Desk, Fold, Version, fold, staged

_MEDICATION = {"medication": "Medication"}


class _Crash(Exception):
    """The machine stops."""


class _Breaking:
    """A connection that fails at its ``n``-th statement, before or ``after`` it is done; not at those that only begin
    or end a transaction, after they are done, nor at the rollback."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, n: int, *, after: bool) -> None:
        self._connection, self._left, self._after = connection, n, after

    def execute(self, query: str, *more: object) -> duckdb.DuckDBPyConnection:
        """Run it, unless its time has come."""
        self._left -= 1
        undone = query == "ROLLBACK" or (self._after and query in ("BEGIN TRANSACTION", "COMMIT"))
        if self._left == 0 and not undone:
            if self._after:
                self._connection.execute(query, *more)
            raise _Crash
        return self._connection.execute(query, *more)

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


@contextmanager
def _marts() -> Iterator[tuple[Desk, MemoryMart]]:
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder))
        try:
            yield desk, MemoryMart()
        finally:
            desk.connection.close()


def _commit(
    desk: Desk, twin: MemoryMart, source: str, files: list[list[Version]], crash: tuple[int, bool] | None
) -> None:
    """One commit to both, in DuckDB's after a crash at some statement; their books are the same and add up."""
    report = desk.report(source)
    stage = Stage(desk.folder / "mart", report.load_id)
    unit = staged(stage, files)
    if crash is not None:
        before = _seen(desk)
        broken = _Breaking(desk.connection, crash[0], after=crash[1])
        try:
            commit(broken, unit, report, TYPES)  # type: ignore[arg-type] # all that a commit asks of a connection
        except _Crash:
            assert _seen(desk) == before
            assert report.resources == {}
        else:
            crash = None  # it had fewer statements
    if crash is not None or not report.resources:
        commit(desk.connection, unit, report, TYPES)
    expected = twin.commit(source, unit, _MEDICATION)
    stage.close()
    assert report.resources == expected
    assert all(counts.balanced() for counts in expected.values())


def _seen(desk: Desk) -> tuple[Fold, list[tuple[str, str, str]]]:
    return desk.holds(), desk.conflicts()


def _plain(version: memory.Version) -> tuple[object, ...]:
    return (
        *(version.source, version.type, version.id, version.version_id),
        *(version.time, version.nanos, version.content_hash),
    )


def _twin_holds(twin: MemoryMart) -> Fold:
    main, history = {_plain(v) for v in twin.main()}, {_plain(v) for v in twin.history()}
    return Fold(main, history, {(_plain(v), top) for v, top in twin.tombstones()})  # type: ignore[arg-type] # rows


@given(ARRIVALS, st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_twins_agree(arrived: list[tuple[str, Version]], data: st.DataObject) -> None:
    """Permuted, repeated, cut into commits and files, crashed anywhere: at every prefix both are the fold over K."""
    order = data.draw(st.permutations(arrived + data.draw(st.lists(st.sampled_from(arrived), max_size=4))))
    crashes = st.none() | st.tuples(st.integers(1, 40), st.booleans())
    done: list[tuple[str, Version]] = []
    with _marts() as (desk, twin):
        while order:
            load = [order.pop(0) for _ in range(data.draw(st.integers(1, len(order))))]
            for source in ("north", "south"):
                mine = [v for s, v in load if s == source]
                cut = data.draw(st.integers(0, len(mine)))
                if files := [f for f in (mine[:cut], mine[cut:]) if f]:
                    _commit(desk, twin, source, files, data.draw(crashes))
                    done += [(source, v) for v in mine]
            assert desk.holds() == _twin_holds(twin) == fold(done)
            assert len(desk.conflicts()) == twin.conflicts.total()
        assert {row[:4] + row[6:] for row in desk.history() | desk.main()} == {
            (row := v.row(s))[:4] + row[6:] for s, v in arrived if not v.deleted
        }


@pytest.mark.parametrize("after", [False, True])
def test_every_statement_may_be_the_last(tmp_path: Path, after: bool) -> None:
    """A commit that touches everything, broken at each of its statements in turn, changes nothing until it is whole."""
    desk, twin = Desk(tmp_path), MemoryMart()
    first = [Version("a", "x", "1"), Version("b", "x"), Version("c", "x", "1", deleted=True), Version("d", type="Flag")]
    later = [
        *(
            Version("a", "y", "1", status="active"),
            Version("a", "z", "0"),
            Version("b", "y", deleted=True),
            Version("c", "x", "2"),
        ),
        *(Version("d", "y", "1", type="Flag"), Version("e")),
    ]
    _commit(desk, twin, "s", [first], None)
    crashed = 0
    begins = 2  # statements before the transaction change nothing either
    for n in range(begins + 1, 200):
        report = desk.report()
        stage = Stage(desk.folder / "mart", report.load_id)
        before = _seen(desk)
        try:
            commit(_Breaking(desk.connection, n, after=after), staged(stage, [later]), report, TYPES)  # type: ignore[arg-type] # as above
        except _Crash:
            crashed += 1
            assert _seen(desk) == before
        else:
            if report.resources and desk.holds() != before[0]:
                break
        finally:
            stage.close()
    assert crashed > 20
    twin.apply([memory.Version(*v.row("s"), v.deleted, look=v.look) for v in later])
    assert desk.holds() == _twin_holds(twin) == fold(("s", v) for v in first + later)
    assert len(desk.conflicts()) == twin.conflicts.total() == 1
    desk.connection.close()
