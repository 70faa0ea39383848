"""Rules that follow from the elements: what R4 requires of the items of lists, their codes, and its data types.

The model checks the columns of a row; an item of a list stands inside one column, so that what is asked of it is a
rule over that column. All of it is error in FHIR R4 (4.0.1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial

import polars as pl

from schemas.dtypes import polars_dtype
from schemas.reasons import Reason
from schemas.rules import TIME_PARTS, Rule, in_order, periods
from schemas.table import PRESENT, Column, Element, Kind

_UNIT_CODE, _UNIT_SYSTEM = "_unit_code", "_unit_system"


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """What is asked of each item: an expression over its fields (null counts as held) and the fields that it reads.

    The expression is made when it is first needed, since most tables are never asked for most of theirs.
    """

    holds: Callable[[], pl.Expr]
    fields: tuple[Column, ...]


_Conditions = Callable[[Element], Iterator[Condition]]


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """The conditions on the items of a list, and those on the items of lists within them."""

    conditions: tuple[Condition, ...]
    within: Mapping[str, _Asked]


def derived_rules(elements: tuple[Element, ...]) -> Iterator[Rule]:
    """Every rule that follows from the types of the elements: on quantities and ranges of the row, and on all items."""
    yield from (*_quantities(elements), *_ranges(elements))
    for element in elements:
        for name, words, conditions, reason in _KINDS:
            asked = _asked(element, conditions)
            if element.kind is Kind.ITEMS and asked is not None:
                yield _rule(f"{element.name}: {name}", element, f"{_words(element.name)}: {words}.", asked, reason)


def item_rule(name: str, element: Element, description: str, condition: Condition) -> Rule:
    """A rule on every item of the list that ``element`` becomes."""
    return _rule(name, element, description, _Asked((condition,), {}))


def _rule(name: str, element: Element, description: str, asked: _Asked, reason: Reason = Reason.RULE_VIOLATED) -> Rule:
    column = element.columns[0].name
    held = partial(_held, asked=asked)
    return Rule(name, column, description, pl.col(column).map_batches(held, return_dtype=pl.Boolean), (column,), reason)


def _held(lists: pl.Series, asked: _Asked) -> pl.Series:
    """For each list (List of Struct) whether all its items hold; Boolean, without nulls."""
    everywhere = pl.Series([True]).new_from_index(0, len(lists))
    kind = lists.dtype
    if not isinstance(kind, pl.List) or not isinstance(kind.inner, pl.Struct):
        return everywhere
    there_are = frozenset(f.name for f in kind.inner.fields)
    holds = _holds(asked, there_are)
    within = {name: inner for name, inner in asked.within.items() if name in there_are}
    if holds is None and not within:
        return everywhere
    items = lists.explode(empty_as_null=False, keep_nulls=False)
    frame = items.struct.unnest()
    held = pl.Series([True]).new_from_index(0, len(items))
    if holds is not None:
        held = frame.with_columns(holds[1]).select(holds[0].alias("held")).to_series()
    for name, inner in within.items():
        held = held & _held(frame[name], inner)
    if held.all():
        return everywhere
    index = pl.Series(range(len(lists)), dtype=pl.UInt32)
    lengths = lists.list.len().fill_null(0)
    parents = pl.select(pl.lit(index).repeat_by(lengths)).to_series().explode(empty_as_null=False)
    return ~index.is_in(parents.filter(~held).unique().implode())


@cache
def _holds(asked: _Asked, there_are: frozenset[str]) -> tuple[pl.Expr, tuple[pl.Expr, ...]] | None:
    """All conditions as one expression, and the fields it reads that are not there, as nulls.

    None when the conditions hold whatever the items say, since nothing that they read is there.
    """
    holding: list[pl.Expr] = []
    missing: dict[str, pl.Expr] = {}
    for condition in asked.conditions:
        unsent = [f for f in condition.fields if f.name not in there_are]
        nulls = {f.name: pl.lit(None, polars_dtype(f.dtype)).alias(f.name) for f in unsent}
        holds = condition.holds().fill_null(True)
        if len(nulls) < len(condition.fields) or not pl.select(nulls.values()).select(holds).item():
            holding.append(holds)
            missing |= nulls
    if not holding:
        return None
    return pl.all_horizontal(holding), tuple(missing.values())


def _asked(element: Element, conditions: _Conditions) -> _Asked | None:
    """The conditions of one kind on a list and all within it; None where nothing is asked."""
    inner = {e.name: made for e in element.children if e.kind is Kind.ITEMS and (made := _asked(e, conditions))}
    own = tuple(conditions(element))
    return _Asked(own, inner) if own or inner else None


def _required(element: Element) -> Iterator[Condition]:
    for child in element.children:
        needed: list[tuple[Column, ...]] = [(column,) for column in child.columns if column.required]
        if child.present and child.columns:
            needed.append(child.columns)
        yield from (Condition(partial(there, columns), columns) for columns in needed)


def _codes(element: Element) -> Iterator[Condition]:
    return (Condition(partial(_known, column), (column,)) for column in _columns(element.children) if column.codes)


def _known(column: Column) -> pl.Expr:
    value = pl.col(column.name)
    if column.dtype.endswith("[]"):
        return value.list.eval(pl.element().is_in(column.codes)).list.all()
    return value.is_in(column.codes)


def _periods(element: Element) -> Iterator[Condition]:
    columns = {c.name: c for c in _columns(element.children)}
    pairs = [("start", "end")] if element.fhir_type == "Period" else periods(columns)
    for start, end in pairs:
        fields = tuple(columns[stem + part] for stem in (start, end) for part in TIME_PARTS)
        yield Condition(partial(in_order, start, end), fields)


def _units(element: Element) -> Iterator[Condition]:
    return (Condition(partial(_coded, columns), columns) for _, columns in _coded_units(element.children))


def _bounds(element: Element) -> Iterator[Condition]:
    return (Condition(partial(_ordered, e.columns), e.columns) for e in element.children if e.fhir_type == "Range")


def _contact_points(element: Element) -> Iterator[Condition]:
    if element.fhir_type == "ContactPoint":
        fields = {c.name: c for c in _columns(element.children)}
        columns = (fields["value"], fields["system"])
        yield Condition(partial(_coded, columns), columns)


_KINDS = (
    ("required", "what R4 requires of an item is there", _required, Reason.REQUIRED_MISSING),
    ("codes", "codes are of the value sets that R4 requires", _codes, Reason.CODE_NOT_IN_VALUE_SET),
    ("per-1", "no period ends before it starts", _periods, Reason.RULE_VIOLATED),
    ("qty-3", "a unit's code has a system", _units, Reason.RULE_VIOLATED),
    ("rng-2", "the low end of a range is not above its high end", _bounds, Reason.RULE_VIOLATED),
    ("cpt-2", "a value has a system", _contact_points, Reason.RULE_VIOLATED),
)


def there(columns: Iterable[Column]) -> pl.Expr:
    """Whether any of these columns holds something."""
    return pl.any_horizontal(pl.col(c.name).is_not_null() for c in columns)


def named(elements: Iterable[Element], *names: str) -> tuple[Column, ...]:
    """The columns of the elements of these names, with all that the parts of a choice or a single element became."""
    starts = tuple(f"{name}_" for name in names)
    return tuple(
        c
        for e in elements
        if not e.name.startswith(PRESENT) and (e.name in names or e.name.startswith(starts))
        for c in e.columns
    )


def _columns(elements: Iterable[Element]) -> Iterator[Column]:
    return (c for e in elements for c in e.columns)


def _quantities(elements: tuple[Element, ...]) -> Iterator[Rule]:
    for stem, columns in _coded_units(elements):
        description = f"{_words(stem)}: where there is a unit's code there is its system."
        yield Rule(f"qty-3 {stem}", columns[0].name, description, _coded(columns), tuple(c.name for c in columns))


def _ranges(elements: tuple[Element, ...]) -> Iterator[Rule]:
    for element in elements:
        if element.fhir_type == "Range":
            names = tuple(c.name for c in element.columns)
            description = f"{_words(element.name)}: the low end is not above the high end, if both have the same unit."
            yield Rule(f"rng-2 {element.name}", names[0], description, _ordered(element.columns), names)


def _coded_units(elements: Iterable[Element]) -> Iterator[tuple[str, tuple[Column, Column]]]:
    """The quantities (FHIR R4 2.24.0.7) among the columns: stem, and the columns of a unit's code and its system."""
    columns = {c.name: c for c in _columns(elements)}
    for name, code in columns.items():
        if name.endswith(_UNIT_CODE):
            stem = name.removesuffix(_UNIT_CODE)
            yield stem, (code, columns[stem + _UNIT_SYSTEM])


def _coded(columns: tuple[Column, ...]) -> pl.Expr:
    """qty-3, cpt-2: the first is there only with the second."""
    first, second = columns
    return pl.col(first.name).is_null() | pl.col(second.name).is_not_null()


def _ordered(columns: tuple[Column, ...]) -> pl.Expr:
    """rng-2 (FHIR R4 2.24.0.8); ends in different units are not compared."""
    low, low_unit, high, high_unit = (pl.col(c.name) for c in columns)
    return (low <= high) | low_unit.ne_missing(high_unit)


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()
