"""Good resources are never refused, and their columns are what a plain reading of the JSON gives."""

from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.reasons import Reason
from tests.transforms.one_chunk import observation, rows, run

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=12)
NUMBERS = st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6, allow_nan=False)
UNREAD = st.dictionaries(
    st.sampled_from(["zz", "zy", "züx", "_status"]),
    st.recursive(st.none() | st.booleans() | NUMBERS | TEXTS, lambda inner: st.lists(inner, max_size=3), max_leaves=5),
    max_size=3,
).map(lambda found: {k: {"id": "x"} if k == "_status" else v for k, v in found.items()})
RESOURCES = st.builds(
    lambda ident, status, code, text, value, more: observation(
        ident, status=status, code={"coding": [{"system": "http://loinc.org", "code": code}], "text": text},
        valueQuantity={"value": value, "unit": text}, **more,
    ),
    st.from_regex(r"[A-Za-z0-9\-.]{1,64}", fullmatch=True),
    st.sampled_from(["final", "amended", "entered-in-error"]),
    TEXTS, TEXTS, NUMBERS, UNREAD,
)  # fmt: skip
SEEDS = st.integers(0, 2**32)


def shuffled(value: Any, draw: random.Random) -> Any:
    """The same object with its keys in another order."""
    if isinstance(value, dict):
        keys = draw.sample(list(value), len(value))
        return {key: shuffled(value[key], draw) for key in keys}
    return [shuffled(item, draw) for item in value] if isinstance(value, list) else value


def spaced(resource: dict[str, Any], seed: int) -> bytes:
    """A resource as a line with random white space, key order and escapes."""
    draw = random.Random(seed)
    gaps = ["", " ", "\t", "\r", "  "]
    text = json.dumps(
        shuffled(resource, draw),
        ensure_ascii=draw.random() < 0.5,
        separators=(draw.choice(gaps) + "," + draw.choice(gaps), draw.choice(gaps) + ":" + draw.choice(gaps)),
    )
    return (draw.choice(gaps) + text + draw.choice(gaps)).encode()


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(RESOURCES, SEEDS), min_size=1, max_size=8))
def test_good_lines_load_as_they_are(drawn: list[tuple[dict[str, Any], int]]) -> None:
    """Id, status, code, text, number and digits of every resource, none refused."""
    result = run([spaced(resource, seed) for resource, seed in drawn])
    assert result.rejections == []
    expected = sorted(
        (r["id"], r["status"], r["code"]["coding"][0]["code"], r["code"]["text"], float(r["valueQuantity"]["value"]),
         json.dumps(r["valueQuantity"]["value"]), r["valueQuantity"]["unit"])
        for r, _ in drawn
    )  # fmt: skip
    names = ("id", "status", "code", "code_text", "value_number", "value_literal", "value_unit")
    assert sorted(tuple(row[name] for name in names) for row in rows(result)) == expected


def test_types_apart() -> None:
    """Lines of several types in one chunk each land in their own table, in order."""
    lines = [
        b'{"resourceType":"Patient","id":"p1"}',
        b'{"resourceType":"Basic","id":"x","code":{"text":"a"}}',
        json.dumps(observation("o1")).encode(),
        b'{"id":"p2","resourceType":"Patient"}',
        b'{"resourceType":"Patient","id":"p3"}',
    ]
    result = run(lines)
    assert [row["id"] for row in rows(result, "patient")] == ["p1", "p2", "p3"]
    assert [(row["type"], row["id"]) for row in rows(result, "resource")] == [("Basic", "x")]
    assert [row["id"] for row in rows(result)] == ["o1"]


def test_a_number_too_great_for_its_column() -> None:
    """Whole numbers beyond 64 bits are refused alone."""
    big = json.dumps(observation("a")).encode().replace(b"13.5", b"1")
    big = big.replace(b'"valueQuantity": {"value": 1, ', b'"valueInteger": 99999999999999999999, "zz": {')
    result = run([big, json.dumps(observation("b")).encode()])
    assert [(bad.resource_id, bad.code) for bad in result.rejections] == [("a", Reason.NUMBER_OUT_OF_RANGE)]
    assert [row["id"] for row in rows(result)] == ["b"]
