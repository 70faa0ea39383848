"""FHIR's named invariants, in the forms they come in: one of two must be there, not both, one only with the other.

Each function returns a rule for a table's elements (:data:`schemas.declare.RuleOf`), since what is there or not is told
by all the columns that an element became. Severity is error in FHIR R4 (4.0.1) for all that tables declare.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from schemas.item_rules import Condition, item_rule, named, there
from schemas.rules import Rule
from schemas.table import Column, Element, Kind

_RuleOf = Callable[[tuple[Element, ...]], Rule]
_ConditionOf = Callable[[tuple[Element, ...]], Condition]


def each_has(name: str, items: str, *parts: str) -> _RuleOf:
    """Every item of the list ``items`` has at least one of the elements ``parts``."""
    return _each(name, items, f"{_list(items)}: each has {_or(parts)}.", lambda inside: _has(inside, *parts))


def each_has_only_one(name: str, items: str, one: str, other: str) -> _RuleOf:
    """No item of the list has both elements."""

    def condition(inside: tuple[Element, ...]) -> Condition:
        first, second = named(inside, one), named(inside, other)
        return Condition(lambda: ~(there(first) & there(second)), (*first, *second))

    return _each(name, items, f"{_list(items)}: none has both {one} and {other}.", condition)


def each_needs(name: str, items: str, part: str, needed: str) -> _RuleOf:
    """An item of the list that has ``part`` has ``needed`` too."""
    return _each(
        name, items, f"{_list(items)}: {part} only with {needed}.", lambda inside: _needs(inside, part, needed)
    )


def each_is(name: str, items: str, description: str, holds: pl.Expr, *columns: str) -> _RuleOf:
    """``holds`` is true, or null, for every item of the list; ``columns`` are those it reads."""

    def condition(inside: tuple[Element, ...]) -> Condition:
        known = {c.name: c for e in inside for c in e.columns}
        return Condition(lambda: holds, tuple(known[column] for column in columns))

    return _each(name, items, description, condition)


def row_has(name: str, *parts: str) -> _RuleOf:
    """The row has at least one of the elements."""
    return lambda elements: _row(name, f"There is {_or(parts)}.", _has(elements, *parts))


def row_needs(name: str, part: str, *needed: str) -> _RuleOf:
    """A row that has ``part`` has one of ``needed`` too."""
    return lambda elements: _row(name, f"{_list(part)} only with {_or(needed)}.", _needs(elements, part, *needed))


def row_is(name: str, description: str, holds: pl.Expr, *columns: str) -> Rule:
    """``holds`` is true, or null, for every row; the rule stands at the first of the ``columns`` that it reads."""
    return Rule(name, columns[0], description, holds, columns)


def same_code_no_value(name: str, items: str) -> Rule:
    """obs-7: a row that has a value has no item whose code is the code of the row."""
    columns = ("code_codings", items, "value_type")

    def held(rows: pl.Series) -> pl.Series:
        return _differ(rows.struct.unnest(), items)

    holds = pl.struct(columns).map_batches(held, return_dtype=pl.Boolean)
    description = f"A row that has a value has none among its {items} under the same code."
    return Rule(name, items, description, holds, columns)


def _differ(rows: pl.DataFrame, items: str) -> pl.Series:
    """For each row whether no item shares a coding (system, code, display) with it, or the row has no value."""
    width = rows.height
    kind = rows[items].dtype
    known = isinstance(kind, pl.List) and isinstance(kind.inner, pl.Struct)
    both = rows.with_row_index("row").filter(
        pl.col("value_type").is_not_null() & (pl.col("code_codings").list.len() > 0) & pl.col(items).is_not_null()
    )
    if not known or not both.height:
        return pl.Series([True]).new_from_index(0, width)
    inner = both.select("row", pl.col(items).alias("item")).explode("item").unnest("item")
    if "code_codings" not in inner.columns:
        return pl.Series([True]).new_from_index(0, width)
    mine, theirs = _pairs(both.select("row", "code_codings")), _pairs(inner.select("row", "code_codings"))
    shared = mine.join(theirs, on=mine.columns, how="semi", nulls_equal=True)["row"].unique()
    return ~pl.Series(range(width), dtype=pl.UInt32).is_in(shared.implode())


def _pairs(frame: pl.DataFrame) -> pl.DataFrame:
    codings = frame.explode("code_codings").filter(pl.col("code_codings").is_not_null()).unnest("code_codings")
    return codings.filter(pl.col("code").is_not_null()).select("row", "system", "code", "display")


def _each(name: str, items: str, description: str, condition: _ConditionOf) -> _RuleOf:
    def rule(elements: tuple[Element, ...]) -> Rule:
        held = next(e for e in elements if e.name == items and e.kind is Kind.ITEMS)
        return item_rule(name, held, description, condition(held.children))

    return rule


def _row(name: str, description: str, condition: Condition) -> Rule:
    columns = tuple(c.name for c in condition.fields)
    return Rule(name, columns[0], description, condition.holds(), columns)


def _has(elements: tuple[Element, ...], *parts: str) -> Condition:
    columns = named(elements, *parts)
    return Condition(lambda: there(columns), columns)


def _needs(elements: tuple[Element, ...], part: str, *needed: str) -> Condition:
    has: tuple[Column, ...] = named(elements, part)
    wants = named(elements, *needed)
    return Condition(lambda: ~there(has) | there(wants), (*has, *wants))


def _or(parts: tuple[str, ...]) -> str:
    return " or ".join(part.replace("_", " ") for part in parts)


def _list(items: str) -> str:
    return items.replace("_", " ").capitalize()
