"""Rows that are alike in some of their columns."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.alike import Alike

_ROW = st.tuples(*(st.one_of(st.none(), st.integers(0, 3)) for _ in range(3)))
_NAMES = ["a", "b", "c"]


@settings(max_examples=30)
@given(st.lists(_ROW, min_size=1, max_size=10), st.randoms(use_true_random=False))
def test_what_is_made_of_distinct_rows_is_spread_to_all(rows: list[tuple[int | None, ...]], random: object) -> None:
    """Each row has its own values again, every combination is there once, and the weights count the rows."""
    many = rows * 60
    random.shuffle(many)  # type: ignore[attr-defined] - hypothesis types its randoms so
    frame = pl.DataFrame(many, schema=dict.fromkeys(_NAMES, pl.Int64), orient="row")
    frame = frame.with_columns(pl.struct("a").alias("a"))
    alike = Alike(frame)
    for names in (["a"], ["a", "b"], _NAMES):
        kinds = alike.columns(names)
        assert kinds.spread(kinds.distinct).equals(frame.select(names))
        if frame.height < 256:
            assert (kinds.places, kinds.weights) == (None, None)
            continue
        assert kinds.places is not None and kinds.weights is not None
        assert kinds.distinct.height == kinds.distinct.n_unique()
        counted = frame.select(names).group_by(names).len("rows")
        told = kinds.distinct.with_columns(kinds.weights.alias("rows"))
        assert sorted(map(repr, told.rows())) == sorted(map(repr, counted.rows()))


def test_rows_that_mostly_differ_stay_as_they_are() -> None:
    """A column that differs makes every combination with it differ, and so do few repeats in each of many columns."""
    frame = pl.DataFrame(
        {"id": range(1000), "one": [n % 40 for n in range(1000)], "other": [n // 40 for n in range(1000)]}
    )
    alike = Alike(frame, unlike=("id",))
    assert alike.columns(["one"]).distinct.height == 40
    assert alike.columns(["one", "other"]).places is None
    assert alike.columns(["id", "one"]).distinct.equals(frame.select("id", "one"))
