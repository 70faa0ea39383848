"""Whatever is wrong in a line is either seen by DuckDB or suspected: no spoiled line loads without a word."""

from __future__ import annotations

import json
import math
from typing import Any, Never

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas import fhir_types
from schemas.reasons import Reason
from tests.transforms.one_chunk import observation, rows, run, written

BASE = written(
    observation(
        "o1",
        issued="2024-01-01T10:00:00Z",
        interpretation=[{"text": "high"}],
        note=[{"text": "n"}],
        referenceRange=[{"low": {"value": 12}, "text": "t"}],
        component=[{"code": {"text": "c"}, "valueInteger": 3}, {"code": {"text": "d"}, "valueBoolean": True}],
    )
)
TOKENS = [
    b"null", b"true", b"1", b"-1.5", b'"x"', b'"5"', b"{}", b"[]", b"[1]", b'["x"]', b'{"a":1}', b"NaN", b"1e400",
    b"-Infinity", b'"\\u0000"', b'"\\ud800"', b"01", b"tru", b"[[1]]", b",", b"}", b"]", b"{", b":", b"\\", b'"',
    b"\xff", b"\x00", b" ", b"e", b".",
]  # fmt: skip
NODES = [i for i, byte in enumerate(BASE) if byte in b':,[]{}"']


# Keys that hold a text in one place and an object in another: the scan cannot tell them apart, and DuckDB takes an
# object for text (test_an_object_for_text_under_a_mixed_key).
MIXED = ("text", "code")


class _Bad(Exception):
    """The line is not what FHIR R4 and JSON allow."""


def _refuse(_: str) -> Never:
    raise _Bad


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise _Bad
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise _Bad
    return dict(pairs)


def _whole(digits: str) -> int:
    _finite(digits)
    return int(digits)


def sound(line: bytes) -> bool:
    """Strict JSON whose elements have the JSON types of FHIR R4, by a plain walk; nothing but types is judged."""
    try:
        value = json.loads(
            line.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_refuse,
            parse_float=_finite,
            parse_int=_whole,
        )
        if not isinstance(value, dict) or value.get("resourceType") != "Observation":
            raise _Bad
        _object(value, "Observation")
    except (_Bad, ValueError):
        return False
    return True


def _object(value: Any, kind: str) -> None:
    if not isinstance(value, dict):
        raise _Bad
    for key, inner in value.items():
        element = fhir_types.element(kind, key)
        if element is None:
            _texts(inner)
            continue
        if inner is None:
            continue
        if element.many != isinstance(inner, list):
            raise _Bad
        for item in inner if element.many else [inner]:
            if item is not None and not (key in MIXED and isinstance(item, dict)):
                _item(item, element.type)


def _item(value: Any, kind: str) -> None:
    if not fhir_types.is_primitive(kind):
        _object(value, kind)
        return
    expected: dict[str, tuple[type, ...]] = {
        "string": (str,),
        "number": (int, float),
        "integer": (int,),
        "boolean": (bool,),
    }
    allowed = expected[fhir_types.json_type(kind)]
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
        raise _Bad
    _texts(value)


def _texts(value: Any) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _texts(key)
            _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            _texts(inner)
    elif isinstance(value, str) and any(letter == "\x00" or "\ud800" <= letter <= "\udfff" for letter in value):
        raise _Bad


def replaced(at: int, length: int, token: bytes) -> bytes:
    """The good line with some bytes replaced."""
    return BASE[:at] + token + BASE[at + length :]


VALUES = [
    (match, match + len(value))
    for value in (
        b"13.5",
        b'"final"',
        b'"Hb"',
        b"12",
        b"3",
        b"true",
        b'"718-7"',
        b'"2024-01-01T10:00:00Z"',
        b'"n"',
        b'"o1"',
    )
    for match in [BASE.index(b":" + value) + 1]
]
MUTATIONS = (
    st.builds(replaced, st.sampled_from(NODES), st.integers(0, 3), st.sampled_from(TOKENS))
    | st.builds(
        lambda place, token: BASE[: place[0]] + token + BASE[place[1] :],
        st.sampled_from(VALUES),
        st.sampled_from(TOKENS),
    )
    | st.builds(lambda at, size: BASE[:at] + BASE[at + size :], st.integers(0, len(BASE) - 1), st.integers(1, 6))
    | st.builds(
        lambda at, byte: BASE[:at] + bytes([byte]) + BASE[at + 1 :], st.integers(0, len(BASE) - 1), st.integers(0, 255)
    )
)


@pytest.mark.parametrize("value", [b'"n"', b'"718-7"'])
@pytest.mark.parametrize("instead", [b'{"a":1}', b"{}", b'{ "textual":1}', b'{"co":1}', b'{"statu":1}', b'{"":1}'])
def test_an_object_for_text_under_a_mixed_key(value: bytes, instead: bytes) -> None:
    """`code.text` and `coding.code` are texts; `Resource.text` and `Observation.code` are objects."""
    assert [bad.code for bad in run([BASE.replace(value, instead)]).rejections] == [Reason.WRONG_TYPE]


@pytest.mark.xfail(strict=True, reason="DuckDB reads an object as text; the scan does not know where the key stands")
def test_an_object_of_another_place_under_a_mixed_key() -> None:
    """What begins as `Observation.code` may begin, in the place of `coding.code`."""
    assert len(run([BASE.replace(b'"718-7"', b'{"coding":[]}')]).rejections) == 1


@pytest.mark.parametrize(
    ("sent", "instead"),
    [
        (b'"unit":"g/dL"', b'"\\u0075nit":{"x":1}'),
        (b'"value":13.5', b'"v\\u0061lue":true'),
        (b'"value":13.5', b'"v\\u0061lue":"12"'),
        (b'"code":"718-7"', b'"code":[{"a":1}]'),
        (b'"text":"n"', b'"text":{"id":"x"}'),
        (b'"text":"n"', b'"text":{"extension":[]}'),
        (b'"value":13.5', b'"value":13.5,"foo":NAN'),
        (b'"value":13.5', b'"value":-INF'),
        (b'"value":13.5', b'"value":13.5,"foo":[1,nAn]'),
    ],
)
def test_what_no_good_line_holds(sent: bytes, instead: bytes) -> None:
    """Keys with escapes, lists for texts, objects for texts, what is no number: refused, alone and among others."""
    assert sent in BASE
    bad = BASE.replace(sent, instead, 1)
    assert len(run([bad]).rejections) == 1
    assert (
        len(run([BASE, bad, BASE.replace(b'"status":"final"', b'"status":"final","status":"final"')]).rejections) == 2
    )


def test_the_line_is_sound() -> None:
    """What is spoiled below is accepted as it stands."""
    assert sound(BASE)
    assert run([BASE]).rejections == []


@settings(deadline=None, max_examples=150)
@given(st.lists(MUTATIONS.filter(lambda line: b"\n" not in line and line.strip()), min_size=1, max_size=8))
@example([BASE.replace(b"13.5", b'"13.5"'), BASE.replace(b"13.5", b"1e400")])
@example([BASE.replace(b'"text":"n"', b'"text":["n"]'), BASE.replace(b'"valueInteger":3', b'"valueInteger":3e0')])
@example([BASE.replace(b'{"low":{"value":12}', b'{"low":{"value":"12"}'), BASE.replace(b'"Hb"', b"5", 1)])
def test_spoiled_lines_never_load(lines: list[bytes]) -> None:
    """Accepted lines are sound JSON with FHIR's types; and every line is either accepted or refused."""
    result = run(lines)
    refused = {bad.line for bad in result.rejections}
    assert len(rows(result)) + len(rows(result, "resource")) + len(refused) == len(lines)
    for number, line in enumerate(lines, 1):
        if number not in refused:
            assert sound(line), line
