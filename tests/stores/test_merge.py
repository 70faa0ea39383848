"""Current version and history follow the total order K, whatever the order of arrival."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from tests.stores.desk import Desk, Version, at, fold

# name: versions of one resource, least K first
ORDERED: dict[str, list[Version]] = {
    "numbers are not compared as text": [Version(version_id="9"), Version(version_id="10")],
    "long numbers": [Version(version_id="9" * 30), Version(version_id="1" + "0" * 30)],
    "leading zeros: same number, then the text": [Version(version_id="007"), Version(version_id="7")],
    "missing, numeric, text": [Version(), Version(version_id="999"), Version(version_id="1a")],
    "text by its characters": [Version(version_id="a"), Version(version_id="b"), Version(version_id="ba")],
    "digits of other scripts are text": [Version(version_id="99"), Version(version_id="١")],
    "time before version": [Version(version_id="10", time=at(0)), Version(version_id="9", time=at(1))],
    "time before class": [Version(version_id="z", time=at(0)), Version(time=at(0.000001))],
    "nanoseconds before version": [Version(version_id="2", nanos=1), Version(version_id="1", nanos=2)],
    "nanoseconds below microseconds": [Version(nanos=999), Version(body="y", time=at(0.000001))],
}


@pytest.mark.parametrize("name", ORDERED)
def test_greatest_k_is_current(name: str, tmp_path: Path) -> None:
    """In every order, in one commit and in several, the greatest K is current and all others are history."""
    versions = ORDERED[name]
    for turn, order in enumerate(itertools.permutations(versions)):
        for together in (True, False):
            desk = Desk(tmp_path / f"{turn}-{together}")
            desk.folder.mkdir()
            if together:
                desk.load(order)
            else:
                for version in order:
                    desk.load([version])
            assert desk.main() == {versions[-1].row("s")}
            assert desk.history() == {v.row("s") for v in versions[:-1]}
            desk.connection.close()


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("together", [False, True])
def test_greater_hash_wins_a_conflict(desk: Desk, turned: bool, together: bool) -> None:
    """Same version and time with other content: the greater hash is current, the other is history."""
    pair = sorted(
        (Version(version_id="1", body=b, status=b) for b in "xy"), key=lambda v: v.content_hash, reverse=turned
    )
    counts = [desk.load(pair)] if together else [desk.load([v]) for v in pair]
    loser, winner = sorted(pair, key=lambda v: v.content_hash)
    assert desk.main() == {winner.row("s")}
    assert desk.history() == {loser.row("s")}
    assert sum(c.applied for c in counts) == (2 if not together and not turned else 1)


SEEN = [Version(body="A", time=at(1)), Version(body="B", time=at(2)), Version(body="A", time=at(3))]


@pytest.mark.parametrize("order", list(itertools.permutations(SEEN)))
def test_content_seen_again_is_current_again(tmp_path: Path, order: tuple[Version, ...]) -> None:
    """A@1, B@2, A@3 of a row without meta end in A with B once in history, in any order and any commits."""
    for cut in ([1, 1, 1], [2, 1], [1, 2], [3]):
        desk = Desk(tmp_path / "-".join(map(str, cut)))
        desk.folder.mkdir()
        waiting = list(order)
        for size in cut:
            desk.load(waiting[:size])
            del waiting[:size]
        assert desk.main() == {SEEN[2].row("s")}
        assert desk.history() == {SEEN[1].row("s")}
        desk.connection.close()


def test_counts_of_a_return(desk: Desk) -> None:
    """B replaces A, A seen later replaces B: each is applied once more, nothing is lost and nothing doubled."""
    counts = [desk.load([v]) for v in SEEN]
    assert [(c.applied, c.superseded, c.duplicate) for c in counts] == [(1, 0, 0)] * 3
    again = desk.load(SEEN)
    assert (again.read, again.duplicate) == (3, 3)


def test_repeats_are_duplicates(desk: Desk) -> None:
    """The same version within a file, across files of a commit and across commits is applied once."""
    version = Version(version_id="1")
    first = desk.load([version, version], [version])
    second = desk.load([version])
    assert (first.read, first.applied, first.duplicate) == (3, 1, 2)
    assert (second.applied, second.duplicate) == (0, 1)
    assert (desk.main(), desk.history()) == ({version.row("s")}, set())


def test_incoming_losers_are_superseded(desk: Desk) -> None:
    """A version that arrives after a greater one goes to history and is counted superseded."""
    old, mid, new = (Version(version_id=str(n), time=at(n)) for n in (1, 2, 3))
    assert desk.load([new, old]).superseded == 1
    late = desk.load([mid, old])
    assert (late.superseded, late.duplicate, late.applied) == (1, 1, 0)
    assert desk.history() == {old.row("s"), mid.row("s")}


def test_update_clears_a_column(desk: Desk) -> None:
    """A column that the newer version does not have becomes null; history keeps what it was."""
    desk.load([Version(version_id="1", time=at(1), status="active"), Version("b", status="inactive")])
    desk.load([Version(version_id="2", time=at(2))])
    assert desk.connection.execute("SELECT id, status FROM main.medication ORDER BY id").fetchall() == [
        ("a", None),
        ("b", "inactive"),
    ]
    assert desk.connection.execute("SELECT status, superseded_by FROM history.medication").fetchall() == [
        ("active", "load-002")
    ]


def test_revival_brings_all_columns_back(desk: Desk) -> None:
    """A version that comes back out of history has the columns that it went in with."""
    desk.load([Version(body="A", time=at(1), status="active")])
    desk.load([Version(body="B", time=at(2))])
    desk.load([Version(body="A", time=at(3), status="active")])
    assert desk.connection.execute("SELECT status, last_updated FROM main.medication").fetchall() == [("active", at(3))]
    assert desk.connection.execute("SELECT status FROM history.medication").fetchall() == [(None,)]


def test_sources_never_mix(desk: Desk) -> None:
    """The same id of two sources is two rows, and neither's versions touch the other's."""
    one, two = Version(version_id="1", time=at(1)), Version(version_id="2", time=at(2))
    desk.load([two], source="north")
    counts = desk.load([one], source="south")
    desk.load([two], source="south")
    assert counts.applied == 1
    assert desk.main() == {two.row("north"), two.row("south")}
    assert desk.history() == {one.row("south")}


def test_resource_is_keyed_by_type_and_id(desk: Desk) -> None:
    """Types without a table share `resource`: the same id under two types is two rows."""
    basic, flag = Version(type="Basic", version_id="1"), Version(type="Flag", version_id="1")
    newer = replace(flag, version_id="2", time=at(1))
    report_counts = desk.load([basic, flag])
    desk.load([newer])
    assert report_counts.applied == 2
    assert desk.main() == {basic.row("s"), newer.row("s")}
    assert desk.history() == {flag.row("s")}


def test_history_holds_each_other_version_once(desk: Desk) -> None:
    """After many mixed loads history is exactly the distinct versions that are not current."""
    versions = [
        Version(i, b, v, at(t), timeless=True) for i, b, v, t in itertools.product("ab", "xy", ("1", "2"), (0, 1))
    ]
    for step in (1, 3, 5, 7):
        desk.load(versions[::step], versions[step::2])
    assert desk.holds() == fold(("s", v) for v in versions)
