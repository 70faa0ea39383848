"""Values of expressions: each form, what is missing, and what is a fault."""

from __future__ import annotations

import polars as pl
import pytest

from schemas.mapping import Column, Concat, Constant, Expression, First, KeyOf, Lookup, Split
from schemas.reasons import Reason
from transforms.decode.extract.expressions import Faults, keys_of, value_of

FRAME = pl.DataFrame({"A": ["a^b", "c", None, "^d"], "B": ["1", None, "3", "4"]})
A, B = Expression(Column("A")), Expression(Column("B"))


def value(expression: Expression) -> tuple[list[str | None], dict[int, tuple[str, Reason]]]:
    faults = Faults(FRAME.height)
    return value_of(expression, FRAME, "t", faults).to_list(), faults.first()


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (A, ["a^b", "c", None, "^d"]),
        (Expression(Constant("x")), ["x"] * 4),
        (Expression(Concat((A, B), "-")), ["a^b-1", None, None, "^d-4"]),
        (Expression(Concat((A, B), "-", skip_missing=True)), ["a^b-1", "c", "3", "^d-4"]),
        (Expression(Concat((A, Expression(Constant("x"))), "")), ["a^bx", "cx", None, "^dx"]),
        (Expression(First((B, A))), ["1", "c", "3", "4"]),
        (Expression(Column("A"), split=Split("^", 2)), ["b", None, None, "d"]),
        (Expression(Column("A"), split=Split("^", 1)), ["a", "c", None, None]),
        (Expression(Column("B"), lookup=Lookup((("1", "one"), ("4", "four")), "many")), ["one", None, "many", "four"]),
    ],
)
def test_a_form(expression: Expression, expected: list[str | None]) -> None:
    """What it gives for each row, without a fault."""
    assert value(expression) == (expected, {})


def test_faults() -> None:
    """What a lookup does not list, what is required, and parts of others; the first of a row counts."""
    listed = Expression(Column("B"), lookup=Lookup((("1", "one"),)), required=True)
    assert value(listed) == (["one", None, None, None], {
        1: ("t", Reason.REQUIRED_MISSING), 2: ("t", Reason.NOT_IN_LOOKUP), 3: ("t", Reason.NOT_IN_LOOKUP)
    })  # fmt: skip
    inner = Expression(Concat((Expression(Column("B"), lookup=Lookup((("1", "x"),))), A)))
    assert set(value(inner)[1]) == {2, 3}


def test_keys() -> None:
    """Missing with any part; the same for the same texts, and another for any other parts that look alike together."""
    ids = keys_of(("A", "B"), FRAME)
    assert ids.is_null().to_list() == [False, True, True, False]
    assert value(Expression(KeyOf(("A", "B"))))[0] == ids.to_list()
    pairs = [("ab", "c"), ("a", "bc"), ("1:a", "b"), ("a", "1:b"), ("", "abc"), ("abc", "")]
    frame = pl.DataFrame(pairs, schema=["x", "y"], orient="row")
    assert keys_of(("x", "y"), frame).n_unique() == len(pairs)
    assert (
        keys_of(("x",), pl.DataFrame({"x": ["7"]})).to_list() == keys_of(("y",), pl.DataFrame({"y": ["7"]})).to_list()
    )
