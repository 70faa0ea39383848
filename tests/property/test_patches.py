"""Rows that say only what changed: any order, repetition and division of the same patches ends in the same tables."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import Counts
from tests.stores.desk import at
from tests.stores.ward import SHOWN, Patch, Ward

ELEMENTS = {
    "active": ("active",),
    "gender": ("gender",),
    "name": ("name_family", "name_text"),
    "birthDate": ("birth_date",),
}


@st.composite
def patches(draw: st.DrawFn) -> Patch:
    told: dict[str, Any] = {}
    for column, values in (
        ("active", st.booleans()),
        ("gender", st.sampled_from(["male", "female"])),
        ("name_family", st.sampled_from("AB")),
        ("name_text", st.sampled_from("AB")),
    ):
        if draw(st.booleans()):
            told[column] = draw(values)
    cleared = draw(st.lists(st.sampled_from(["gender", "name"]), max_size=2, unique=True))
    kept = {c: v for c, v in told.items() if not any(c in ELEMENTS[element] for element in cleared)}
    return Patch(draw(st.sampled_from("abc")), at(draw(st.integers(0, 5))), tuple(sorted(kept.items())), tuple(cleared))


def fold(arrived: Iterable[Patch]) -> tuple[set[Any], set[Any]]:
    """Current and earlier rows by the fold over (time, hash), in plain Python."""
    latest: dict[tuple[str, bytes], Patch] = {}
    for patch in arrived:
        key = patch.id, patch.content_hash
        if key not in latest or latest[key].time < patch.time:
            latest[key] = patch
    main, history = set(), set()
    ordered = sorted(latest.values(), key=lambda p: (p.id, p.time, p.content_hash))
    for _, of_one in itertools.groupby(ordered, key=lambda p: p.id):
        state: dict[str, Any] = {}
        versions: list[tuple[Any, ...]] = []
        states: list[dict[str, Any]] = []
        for patch in of_one:
            told = dict(patch.told)
            new = dict(state)
            for element, columns in ELEMENTS.items():
                if element in patch.cleared or any(c in told for c in columns):
                    new |= {c: told.get(c) for c in columns}
            if states and {c: v for c, v in new.items() if v is not None} == states[-1]:
                versions.pop()
                states.pop()
            state = new
            states.append({c: v for c, v in new.items() if v is not None})
            versions.append((patch.id, patch.time, patch.content_hash, *(new.get(c) for c in SHOWN)))
        main.add(versions[-1])
        history.update(versions[:-1])
    return main, history


@given(st.lists(patches(), min_size=1, max_size=10), st.data())
@settings(max_examples=60)
def test_any_order_is_the_fold(
    tmp_path_factory: pytest.TempPathFactory, arrived: list[Patch], data: st.DataObject
) -> None:
    """Permuted, doubled, divided into loads and files: rows and history are those of a fold over all."""
    ward = Ward(tmp_path_factory.mktemp("ward"))
    order = data.draw(st.permutations(arrived + data.draw(st.lists(st.sampled_from(arrived), max_size=3))))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(order)), max_size=3)))
    total = Counts()
    for begin, end in itertools.pairwise([0, *cuts, len(order)]):
        if begin < end:
            middle = data.draw(st.integers(begin, end))
            files = [part for part in (order[begin:middle], order[middle:end]) if part]
            total.add(ward.load(*files))
    assert ward.tables() == fold(arrived)
    assert total.read == len(order)
    assert total.applied + total.superseded == len({(p.id, p.content_hash) for p in arrived})
