"""Versions of the same name and time and other content are noted once a pair, and nothing of them is lost."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.records import Counts
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


_WRITTEN = [
    '{"a": 1.0, "b": [{"x": "\u00e9", "y": null}]}',
    '{"b":[{"y":null,"x":"\\u00e9"}],"a":1.0}',
    '{"b" :[{"x":"\u00e9","y":null}],"a": 1.0}',
]


@pytest.mark.parametrize("kind", ["Medication", "Flag"])
@pytest.mark.parametrize("cut", [[1, 1, 1], [2, 1], [1, 2], [3]])
def test_written_anew_is_a_duplicate(tmp_path: Path, kind: str, cut: list[int]) -> None:
    """Keys in another order, white space, escapes: one version, whichever came first."""
    for turn, order in enumerate(itertools.permutations([replace(ONE, type=kind, body=body) for body in _WRITTEN])):
        desk = Desk(tmp_path / str(turn))
        desk.folder.mkdir()
        waiting, total = list(order), Counts()
        for size in cut:
            total.add(desk.load(waiting[:size]))
            del waiting[:size]
        total.add(desk.load(list(order)))
        assert (total.read, total.applied, total.superseded, total.duplicate) == (6, 1, 0, 5)
        assert desk.main() == {max((v.row("s") for v in order), key=lambda row: row[-1])}
        assert desk.history() == set()
        assert desk.conflicts() == []
        desk.connection.close()


@pytest.mark.parametrize("other", ['{"a":1.00,"b":"x"}', '{"a":1.0,"b":"x","c":null}', '{"a":"1.0","b":"x"}'])
def test_another_literal_is_another_version(desk: Desk, other: str) -> None:
    """A number keeps its digits: 1.0 is not 1.00, nor the text of it."""
    flag = replace(ONE, type="Flag")
    desk.load([replace(flag, body='{"a":1.0,"b":"x"}')])
    assert desk.load([replace(flag, body=other)]).duplicate == 0
    assert desk.conflicts() == [("Flag", "a", "version_conflict")]


def test_written_anew_in_history(desk: Desk) -> None:
    """Of an earlier version too only one stays, and a conflict with a third is noted once."""
    flag = replace(ONE, type="Flag")
    desk.load([replace(flag, version_id="2", time=at(1))])
    third = replace(flag, body="{}")
    for version in (replace(flag, body=_WRITTEN[0]), third, replace(flag, body=_WRITTEN[1]), third):
        desk.load([version])
    assert len(desk.history()) == 2
    assert desk.conflicts() == [("Flag", "a", "version_conflict")]


def test_time_of_sight_makes_no_two_the_same(desk: Desk) -> None:
    """Versions without a time of their own that were seen at one moment may be seen again at others."""
    seen = replace(ONE, timeless=True)
    desk.load([seen, replace(seen, body="y")])
    assert len(desk.main() | desk.history()) == 2
    assert desk.conflicts() == []


def test_what_is_no_conflict(desk: Desk) -> None:
    """Another time, another number, no number, another source, a delete."""
    desk.load([ONE, replace(ONE, body="y", time=at(1)), replace(ONE, body="y", nanos=1)])
    desk.load([replace(ONE, body="y", version_id="2"), replace(ONE, body="y", id="b")])
    desk.load([Version("c", body="x"), Version("c", body="y")])
    desk.load([replace(ONE, body="y")], source="other")
    desk.load([replace(ONE, deleted=True)])
    assert desk.conflicts() == []
