"""The canonical form of JSON texts is the same exactly when they say the same."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.canonical_json import canonical

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, st.data())
def test_writing_does_not_matter(value: object, data: st.DataObject) -> None:
    """Order of keys, white space and escapes leave the canonical form as it is."""
    turned = _turned(value, data)
    ascii_only, indent = data.draw(st.booleans()), data.draw(st.sampled_from([None, 0, 3]))
    assert canonical(json.dumps(turned, ensure_ascii=ascii_only, indent=indent)) == canonical(json.dumps(value))


@given(VALUES, VALUES)
def test_meaning_does(one: object, other: object) -> None:
    """Two values have one form only when they are the same JSON."""
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (canonical(json.dumps(one)) == canonical(json.dumps(other))) == same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("1.0", "1.00"), ("1", "1.0"), ("1e2", "100"), ("1", '"1"'), ("0", "-0"), ("true", '"true"'), ("null", "0")),
        *(("[1,2]", "[2,1]"), ("{}", "[]"), ('{"a":1}', '{"a":1,"b":null}'), ('{"a":1,"a":2}', '{"a":2,"a":1}')),
    ],
)
def test_kept_apart(one: str, other: str) -> None:
    """Number literals, JSON types, the order of lists, keys that are there twice."""
    assert canonical(one) != canonical(other)


@pytest.mark.parametrize("text", ["", "{", "nothing", "[" * 100_000, '{"a":1} x'])
def test_no_json_stays_as_it_is(text: str) -> None:
    """What cannot be read is only the same as itself."""
    assert canonical(text) == text


def _turned(value: object, data: st.DataObject) -> object:
    if isinstance(value, dict):
        return {key: _turned(value[key], data) for key in data.draw(st.permutations(list(value)))}
    return [_turned(one, data) for one in value] if isinstance(value, list) else value
