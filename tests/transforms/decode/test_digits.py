"""The digits of decimals reach `value_literal` as they were sent."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transforms.one_chunk import observation, rows, run, written

SENT = (
    "1.10", "1e-7", "0.0001", "100000000000000000000", "1.0", "-0", "-0.0", "0.00000001", "123456789.123456789", "5",
    "0", "1E+2", "0.10e1", "13.5", "-13.50", "1234567890123456", "0.30000000000000004", "1e22", "-0.0001", "0.001",
    "9007199254740993", "1.7976931348623157e308", "5e-324", "0e0", "0.000", "100", "1200.00",
)  # fmt: skip
WHOLE, PART = st.from_regex(r"0|[1-9][0-9]{0,22}", fullmatch=True), st.from_regex(r"(\.[0-9]{1,18})?", fullmatch=True)
NUMBERS = st.builds(
    "{}{}{}{}".format, st.sampled_from(["", "-"]), WHOLE, PART, st.from_regex(r"([eE][+-]?[0-9]{1,2})?", fullmatch=True)
)


def with_number(digits: str, ident: str = "o1", space: str = "") -> bytes:
    """A line whose value has these digits."""
    line = written(observation(ident))
    return line.replace(b'"value":13.5', f'"value"{space}:{space}{digits}'.encode())


@pytest.mark.parametrize("digits", SENT)
def test_digits_are_kept(digits: str) -> None:
    """Text for text, with the number beside it."""
    (row,) = rows(run([with_number(digits)]))
    assert row["value_literal"] == digits
    assert row["value_number"] == float(digits)


def test_digits_are_kept_together() -> None:
    """All in one chunk: a line that is rewritten changes no other."""
    found = rows(run([with_number(digits, f"o{i}", " " * (i % 3)) for i, digits in enumerate(SENT)]))
    assert [row["value_literal"] for row in found] == list(SENT)


@settings(deadline=None, max_examples=100)
@given(st.lists(NUMBERS, min_size=1, max_size=10))
def test_random_digits_are_kept(sent: list[str]) -> None:
    """Any number that JSON can write."""
    found = rows(run([with_number(digits) for digits in sent]))
    assert [row["value_literal"] for row in found] == sent
    assert [row["value_number"] for row in found] == [float(digits) for digits in sent]


def test_digits_in_components_and_texts() -> None:
    """Inside lists they are kept too, and text that looks like a number's key is left alone."""
    odd = 'said "value":1.10 and \\"value\\":2.0'
    components = [{"code": {"text": "a"}, "valueQuantity": {"value": 7}}] * 2
    line = written(observation(note=[{"text": odd}], component=components)).replace(b'"value":7', b'"value":7.00', 1)
    (row,) = rows(run([line]))
    assert [item["value_literal"] for item in row["components"]] == ["7.00", "7"]
    assert row["note_text"] == odd


def test_integers_have_digits_too() -> None:
    """An integer choice fills number and literal."""
    resource = observation(valueInteger=42)
    del resource["valueQuantity"]
    (row,) = rows(run([written(resource)]))
    assert (row["value_type"], row["value_number"], row["value_literal"]) == ("integer", 42.0, "42")
