"""Rows that say only what changed: what each of them leaves in the mart."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from schemas.records import Counts
from stores import commit as committing
from tests.stores.desk import Version, at
from tests.stores.ward import Patch, Ward

ADMITTED = Patch("a", at(1), (("gender", "male"), ("name_family", "A"), ("name_text", "A B")))
RESULT = Patch("a", at(2), (("active", True),))


@pytest.fixture
def ward(tmp_path: Path) -> Ward:
    return Ward(tmp_path)


def row(ward: Ward) -> tuple[Any, ...]:
    """The columns of patient a after time and hash."""
    (found,) = [row for row in ward.tables()[0] if row[0] == "a"]
    return found[3:]


@pytest.mark.parametrize("order", [[ADMITTED, RESULT], [RESULT, ADMITTED]])
def test_what_is_left_out_stays(ward: Ward, order: Sequence[Patch]) -> None:
    """A sparse message wipes nothing, whichever comes first."""
    first, second = (ward.load([patch]) for patch in order)
    assert row(ward) == (True, "male", "A", "A B", None)
    assert first.applied == 1
    assert (second.applied, second.superseded) == ((1, 0) if order[1] is RESULT else (0, 1))
    assert len(ward.tables()[1]) == 1


def test_what_is_cleared_goes(ward: Ward) -> None:
    """With all columns of the element, also when the clearing patch came before what it clears."""
    cleared = Patch("a", at(3), (), ("name",))
    ward.load([cleared])
    ward.load([ADMITTED])
    assert row(ward) == (None, "male", None, None, None)
    ward.load([Patch("a", at(4), (("name_family", "C"),))])
    assert row(ward) == (None, "male", "C", None, None)


def test_element_is_told_whole(ward: Ward) -> None:
    """A new name without a text has none: the old text was of the old name."""
    ward.load([ADMITTED], [Patch("a", at(2), (("name_family", "C"),))])
    assert row(ward) == (None, "male", "C", None, None)


def test_what_changes_nothing_adds_no_version(ward: Ward) -> None:
    """The row takes the time at which it was last told; the same patch again is a duplicate."""
    ward.load([ADMITTED])
    assert ward.load([ADMITTED, ADMITTED]) == Counts(read=2, duplicate=2)
    same = Patch("a", at(5), (("gender", "male"),))
    assert ward.load([same]).applied == 1
    (found,), history = ward.tables()
    assert (found[1], history) == (at(5), set())


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("together", [False, True])
def test_told_again_counts_from_the_last_time(ward: Ward, order: Sequence[int], together: bool) -> None:
    """Of the same patch told at two moments the later counts, in any order: what came between them is told over."""
    male = (("gender", "male"),)
    patches = [Patch("a", at(1), male), Patch("a", at(2), (("gender", "female"),)), Patch("a", at(3), male)]
    told = [[patches[n]] for n in order]
    for files in [told] if together else [[file] for file in told]:
        ward.load(*files)
    assert row(ward)[1] == "male"
    ((_, time, *_),) = ward.tables()[0]
    assert time == at(3)


@pytest.mark.parametrize("last", ["delete", "old", "new"])
def test_deletes(ward: Ward, last: str) -> None:
    """A delete hides the row until a later patch; an earlier patch that comes late stays hidden."""
    delete = Version("a", type="Patient", time=at(3), deleted=True)
    steps = {
        "old": lambda: ward.load([ADMITTED]),
        "new": lambda: ward.load([RESULT]),
        "delete": lambda: ward.delete(delete),
    }
    for name in [name for name in steps if name != last] + [last]:
        steps[name]()
    main, history = ward.tables()
    assert main == set()
    assert max(r[1] for r in history) == at(2)
    ward.load([Patch("a", at(4), (("gender", "female"),))])
    assert row(ward)[:2] == (True, "female")
    assert ward.connection.execute("SELECT count(*) FROM etl.tombstone WHERE superseded_by IS NULL").fetchone() == (0,)


def test_others_go_straight_in(ward: Ward) -> None:
    """Of an identity with one patch that clears nothing no patch is kept beside its row."""
    ward.load([ADMITTED, Patch("b", at(1), (("gender", "male"),)), Patch("b", at(2), (("active", False),))])
    kept = ward.connection.execute("SELECT id, count(*) FROM stored_patch.patient GROUP BY 1").fetchall()
    assert kept == [("b", 2)]


def test_interrupted(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that dies after the patches leaves everything as it was; run again it ends as if it had not."""
    ward.load([ADMITTED])
    before = ward.tables()
    with monkeypatch.context() as patched:
        patched.setattr(committing, "save_load", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ward.load([RESULT])
    assert ward.tables() == before
    ward.load([RESULT])
    assert row(ward) == (True, "male", "A", "A B", None)
