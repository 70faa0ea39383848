"""Raw columns as mart columns, above all inside lists: lengths, nulls and flags stay with their rows."""

from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.elements import build, field
from tests.transforms.one_chunk import observation, rows, run, written
from transforms.normalise import normalise

NOTES = build("Observation", ("note",))
ITEMS = st.none() | st.lists(
    st.fixed_dictionaries(
        {
            "text": st.sampled_from(["a", "b"]),
            "time": st.sampled_from([None, "2024", "2024-02-30", "2024-01-01T00:00:00Z", "x"]),
        }
    ),
    max_size=3,
)


@settings(deadline=None, max_examples=150)
@given(st.lists(ITEMS, min_size=1, max_size=8))
def test_lists_keep_their_shape(lists: list[list[dict[str, Any]] | None]) -> None:
    """Null, empty and full lists stay what they are, and the flag is true where an item has no time."""
    kind = pl.List(pl.Struct({"text": pl.String(), "time": pl.String()}))
    made = normalise(pl.DataFrame({"notes": pl.Series(lists, dtype=kind)}), NOTES)
    if "notes" not in made.columns:
        assert not any(lists)
        return
    for sent, row in zip(lists, made.to_dicts(), strict=True):
        found = row["notes"]
        assert [i["text"] for i in found or []] == [i["text"] for i in sent or []]
        assert (found is None) == (sent is None)
        wrong = any(i["time"] in ("2024-02-30", "x") for i in sent or [])
        assert row.get("!notes.time", False) is wrong
        for item, before in zip(found or [], sent or [], strict=True):
            assert (item["time_precision"] == "year") == (before["time"] == "2024")


def test_lists_in_lists() -> None:
    """Components with their own ranges; an item without any, a row without any, and a chunk of neither after it."""
    bounds = [{"low": {"value": 1}, "text": "r1"}, {"text": "r2", "appliesTo": [{"text": "x"}]}]
    full = {"code": {"text": "a"}, "referenceRange": bounds}
    lines = [
        observation("a", component=[full, {"code": {"text": "b"}}]),
        observation("b"),
        observation("c", component=[full]),
    ]
    first, second, third = rows(run([written(line) for line in lines]))
    assert [len(c["reference_ranges"] or []) for c in first["components"]] == [2, 0]
    assert second["components"] is None
    assert third["components"] == first["components"][:1]
    (bare,) = rows(run([written(observation("d"))]))
    assert "components" not in bare
    (empty,) = rows(run([written(observation("e", component=[{"code": {"text": "b"}}]))]))
    assert [c["code_text"] for c in empty["components"]] == ["b"]


def test_every_key_is_read_where_one_is_escaped() -> None:
    """All columns of the table at once, most of them empty, at any depth."""
    line = written(observation("a")).replace(b'"status"', b'"st\\u0061tus"')
    result = run([line])
    assert (result.rejections, rows(result)[0]["status"]) == ([], "final")


def test_only_what_was_sent_has_columns() -> None:
    """Columns without a read are left out, and the order is the model's."""
    elements = build("Observation", ("status", "issued", field("code"), "subject"))
    raw = pl.DataFrame({"issued": ["2024-01-01T00:00:00Z"], "status": ["final"], "?code": [True]})
    made = normalise(raw, elements)
    assert made.columns == [
        "status",
        "issued_at",
        "issued_date",
        "issued_precision",
        "issued_offset",
        "!issued",
        "?code",
    ]
