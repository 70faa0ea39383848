"""The hash of a row's content."""

from __future__ import annotations

import hashlib

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.alike import Alike
from transforms.decode.hl7v2.content import content_hashes

_WORDS = st.one_of(st.none(), st.text(alphabet="ab1:=-{}[]é\n", max_size=4))
_CODING = st.fixed_dictionaries({"system": _WORDS, "code": _WORDS})
_CONCEPT = st.one_of(
    st.none(),
    st.fixed_dictionaries({"text": _WORDS, "coding": st.one_of(st.none(), st.lists(_CODING, max_size=3))}),
)
_ROW = st.fixed_dictionaries(
    {
        "status": _WORDS,
        "given": st.one_of(st.none(), st.lists(_WORDS, max_size=3)),
        "code": _CONCEPT,
        "name": st.one_of(st.none(), st.lists(st.one_of(st.none(), _CONCEPT), max_size=2)),
        "rank": st.one_of(st.none(), st.integers(-9, 9)),
        "sure": st.one_of(st.none(), st.booleans()),
    }
)
_CODED = pl.Struct({"text": pl.String, "coding": pl.List(pl.Struct({"system": pl.String, "code": pl.String}))})
_SCHEMA = {
    "status": pl.String,
    "given": pl.List(pl.String),
    "code": _CODED,
    "name": pl.List(_CODED),
    "rank": pl.Int64,
    "sure": pl.Boolean,
}


def _text(value: object) -> str | None:
    """What is specified in docs/hl7v2.md, said again."""
    if value is None:
        return None
    if isinstance(value, dict):
        fields = (f"{name}={told}" for name in sorted(value) if (told := _text(value[name])) is not None)
        inner = "".join(fields)
        return f"{{{inner}}}" if inner else None
    if isinstance(value, list):
        inner = "".join(_text(item) or "-" for item in value)
        return f"[{inner}]" if inner else None
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"{len(text.encode())}:{text}"


def _expected(row: dict[str, object]) -> bytes:
    return hashlib.sha256((_text(row) or "{}")[1:-1].encode()).digest()


@given(st.lists(_ROW, min_size=1, max_size=6))
def test_is_of_the_text_that_is_specified(rows: list[dict[str, object]]) -> None:
    """Whatever the rows hold, and whatever else is in their batch."""
    frame = pl.DataFrame(rows, schema=_SCHEMA)
    assert content_hashes(Alike(frame)).to_list() == [_expected(row) for row in rows]


@settings(max_examples=20)
@given(st.lists(_ROW, min_size=1, max_size=3))
def test_is_the_same_in_a_large_batch(rows: list[dict[str, object]]) -> None:
    """Large batches are hashed by their distinct values."""
    many = rows * 300
    frame = pl.DataFrame(many, schema=_SCHEMA)
    assert content_hashes(Alike(frame)).to_list() == [_expected(row) for row in rows] * 300


def test_neither_the_order_nor_what_nobody_says_matters() -> None:
    """Columns and fields without values, and their order, are of the batch and not of the row."""
    bare = pl.DataFrame({"code": [{"text": "a"}], "id": ["1"]})
    wide = pl.DataFrame({"id": ["1"], "note": [None], "code": [{"version": None, "text": "a"}]})
    assert content_hashes(Alike(bare)).to_list() == content_hashes(Alike(wide)).to_list()


def test_rows_without_content_are_alike() -> None:
    """A frame that says nothing has a hash for each row."""
    assert content_hashes(Alike(pl.DataFrame({"id": [None, None]}))).to_list() == [hashlib.sha256(b"").digest()] * 2


def test_a_list_with_an_item_that_says_nothing_is_another() -> None:
    """The place of an item in a list is part of what the list says."""
    lists = pl.DataFrame({"given": [["a", None], [None, "a"], ["a"], [], None]})
    one, other, lone, empty, absent = content_hashes(Alike(lists)).to_list()
    assert len({one, other, lone}) == 3
    assert empty == absent
