"""Versions of the same name and time and other content are noted once a pair, and nothing of them is lost."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from stores.commit import commit
from stores.staging import Stage
from tests.stores.desk import TYPES, Desk, Version, at, fold, staged

ONE = Version(version_id="1", body="x", status="active")
THREE = [ONE, replace(ONE, body="y", status="inactive"), replace(ONE, body="z", status="entered-in-error")]


@pytest.mark.parametrize("cut", [[1, 1, 1], [2, 1], [1, 2], [3]])
@pytest.mark.parametrize("kind", ["Medication", "Flag"])
def test_once_a_pair(tmp_path: Path, kind: str, cut: list[int]) -> None:
    """Three versions are three pairs, in every order and cut, however often they are loaded."""
    for turn, order in enumerate(itertools.permutations([replace(v, type=kind) for v in THREE])):
        desk = Desk(tmp_path / str(turn))
        desk.folder.mkdir()
        waiting = list(order)
        for size in cut:
            desk.load(waiting[:size], waiting[: size - 1])
            del waiting[:size]
        desk.load(list(order))
        assert desk.conflicts() == [(kind, "a", "version_conflict")] * 3
        assert desk.holds() == fold(("s", v) for v in order)
        desk.connection.close()


def test_counted_in_the_report(desk: Desk) -> None:
    """By type; a load that brings nothing new finds none."""
    for expected in ({"Medication": 1}, {}):
        report = desk.report()
        stage = Stage(desk.folder / "mart", report.load_id)
        commit(desk.connection, staged(stage, [THREE[:2]]), report, TYPES)
        assert report.as_dict()["version_conflicts"] == expected


def test_rewritten_bytes_are_told_apart(desk: Desk) -> None:
    """Equal in every column: the bytes say the same in another order, or what no column reads."""
    desk.load([ONE])
    desk.load([replace(ONE, body="same columns")])
    assert desk.conflicts() == [("Medication", "a", "version_rewritten")]


def test_what_is_no_conflict(desk: Desk) -> None:
    """Another time, another number, no number, another source, a delete."""
    desk.load([ONE, replace(ONE, body="y", time=at(1)), replace(ONE, body="y", nanos=1)])
    desk.load([replace(ONE, body="y", version_id="2"), replace(ONE, body="y", id="b")])
    desk.load([Version("c", body="x"), Version("c", body="y")])
    desk.load([replace(ONE, body="y")], source="other")
    desk.load([replace(ONE, deleted=True)])
    assert desk.conflicts() == []
