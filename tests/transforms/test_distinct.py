"""Distinct rows."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.distinct import distinct_rows

_ITEM = st.fixed_dictionaries({"code": st.one_of(st.none(), st.sampled_from("ab"))})
_ROW = st.fixed_dictionaries(
    {"text": st.one_of(st.none(), st.sampled_from("xy")), "items": st.one_of(st.none(), st.lists(_ITEM, max_size=2))}
)
_SCHEMA = {"text": pl.String, "items": pl.List(pl.Struct({"code": pl.String}))}


@settings(max_examples=30)
@given(st.lists(_ROW, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_spread_again_they_are_the_rows(rows: list[dict[str, object]], random: object) -> None:
    """Nothing is lost, and no two distinct rows are alike, whatever is nested in them."""
    many = rows * 100
    random.shuffle(many)  # type: ignore[attr-defined] - hypothesis types its randoms so
    frame = pl.DataFrame(many, schema=_SCHEMA)
    found = distinct_rows(frame)
    if frame.height < 256:
        assert found is None
        return
    assert found is not None
    distinct, places = found
    assert distinct.select(pl.all().gather(places)).to_dicts() == many
    assert len(_kinds(distinct.to_dicts())) == distinct.height == len(_kinds(many))


def _kinds(rows: list[dict[str, object]]) -> set[tuple[str, str]]:
    return {(repr(row["text"]), repr(row["items"])) for row in rows}


def test_is_not_worth_while_where_most_rows_differ() -> None:
    """Then the rows themselves are to be worked on."""
    frame = pl.DataFrame({"text": [str(number) for number in range(1000)]})
    assert distinct_rows(frame) is None
