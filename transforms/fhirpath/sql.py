"""From the typed tree to DuckDB SQL.

A single item is a scalar expression or NULL. A collection is a LIST without NULL elements, in which NULL
and [] both mean that there is none. Lambda variables are named by depth (e1, e2, ...), so callers that bind
their own must name them otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from transforms.fhirpath.shape import identifier, text_literal
from transforms.fhirpath.tree import (
    Choice,
    Digits,
    Field,
    Filter,
    Here,
    Item,
    Map,
    Ordinal,
    Pick,
    Single,
    Some,
    Template,
    Typed,
    Union,
    Value,
    Variable,
    Whole,
)

_Child: TypeAlias = Field | Digits | Whole

_SLOT = re.compile(r"\{(\d+)\}")
# Short enough, and cheap enough to work out, to stand more than once.
_PLAIN = re.compile(r"""[\w.\[\]"#-]{1,80}|'[^']{0,40}'""")


class Names(msgspec.Struct, frozen=True):
    """The SQL that stands for each lambda variable, and for its index, inside ``depth`` lambdas."""

    items: Mapping[Variable, str] = {}
    ordinals: Mapping[Variable, str] = {}
    depth: int = 0

    def bind(self, variable: Variable | None) -> tuple[str, str, Names]:
        """The name of a new variable, the head of its lambda, and the names inside of it."""
        name = f"e{self.depth + 1}"
        indexed = variable is not None and variable.indexed
        inner = Names(
            self.items if variable is None else {**self.items, variable: name},
            {**self.ordinals, variable: f"(i{self.depth + 1} - 1)"} if variable is not None else self.ordinals,
            self.depth + 1,
        )
        return name, f"lambda {name}, i{self.depth + 1}:" if indexed else f"lambda {name}:", inner

    def stand(self, variable: Variable, sql: str) -> Names:
        """These names with the SQL of a single item in place of a variable."""
        return Names({**self.items, variable: sql}, {**self.ordinals, variable: "0"}, self.depth)


def render(node: Typed, names: Names = Names()) -> str:  # noqa: B008 - immutable
    """The SQL of a node."""
    return _RENDER[type(node)](node, names)


def decimal_text(value: str) -> str:
    """SQL of the shortest text of a double: plain decimal notation without exponent and without ``.0``."""
    text = f"CAST({value} AS VARCHAR)"
    small = (
        f"regexp_extract({text}, '^-?') || '0.'"
        f" || repeat('0', CAST(split_part({text}, 'e-', 2) AS INTEGER) - 1)"
        f" || regexp_replace(split_part({text}, 'e', 1), '[-.]', '', 'g')"
    )
    return f"CASE WHEN contains({text}, 'e-') THEN {small} ELSE regexp_replace({text}, '[.]0$', '') END"


def json_as_sent(text: str) -> str:
    """SQL of a JSON text without the siblings ``"#name"`` of decimals, whose digits go back to where they were."""
    sibling = '-?[0-9][-+0-9.eE]*,"#[A-Za-z]+":"([-+0-9.eE]+)"'
    restored = f"regexp_replace({text}, {text_literal(sibling)}, '\\1', 'g')"
    return f"CASE WHEN contains({text}, ',\"#') THEN {restored} ELSE {text} END"


def _here(node: Here, _names: Names) -> str:
    return node.name


def _item(node: Item, names: Names) -> str:
    return names.items[node.variable]


def _ordinal(node: Ordinal, names: Names) -> str:
    return names.ordinals[node.variable]


def _value(node: Value, _names: Names) -> str:
    return node.sql


def _step(node: _Child, parent: str) -> str:
    """The SQL of a child of the SQL of its parent, which is one item ("" for the resource itself)."""
    shape = node.of.shape
    if parent and shape is not None and shape.items_are_text():
        parent = f"from_json({parent}, {text_literal(shape.structure())})"
    prefix = f"{parent}." if parent else ""
    if isinstance(node, Digits):
        text = decimal_text(prefix + identifier(node.key))
        return f"coalesce({prefix}{identifier('#' + node.key)}, {text})"
    sql = prefix + identifier(node.key)
    if isinstance(node, Whole):
        return json_as_sent(f"CAST({sql} AS VARCHAR)")
    own = node.shape
    if own is None:
        return sql
    own.settled = True
    if not own.reads_text():
        return sql
    if own.many:
        item = '"JSON"' if own.as_items else own.structure()
        return f"from_json({sql}, {text_literal(f'[{item}]')})"
    return f"from_json({sql}, {text_literal(own.structure())})" if own.is_leaf() else sql


def _field(node: _Child, names: Names) -> str:
    if not node.of.many:
        own = _below(node.of, names, lambda parent: _step(node, parent))
        return _without_nulls(own, names) if _repeats(node) and _may_hold_nulls(node) else own
    chain = [node]
    base = node.of
    while isinstance(base, Field) and base.of.many and not base.repeats:
        chain.append(base)
        base = base.of
    name, head, _ = names.bind(None)
    sql = name
    for step in reversed(chain):
        sql = _step(step, sql)
    mapped = f"list_transform({render(base, names)}, {head} {sql})"
    if not _repeats(node):
        return _without_nulls(mapped, names)
    flat = f"flatten({mapped})"
    return _without_nulls(flat, names) if _may_hold_nulls(node) else flat


def _repeats(node: _Child) -> bool:
    return isinstance(node, Field) and node.repeats


def _may_hold_nulls(node: _Child) -> bool:
    """Arrays of primitives, and their shadows, are padded with null where only the other has an item."""
    return node.shape is None or node.shape.is_leaf() or node.shape.key.startswith("_")


def _without_nulls(sql: str, names: Names) -> str:
    name, head, _ = names.bind(None)
    return f"list_filter({sql}, {head} {name} IS NOT NULL)"


def _below(of: Typed, names: Names, make: Callable[[str], str]) -> str:
    """``make`` of the SQL of a single item. A condition on the item is put around the result."""
    if isinstance(of, Filter):
        inner = names.stand(of.variable, _operand(render(of.of, names)))
        return f"CASE WHEN {render(of.criteria, inner)} THEN {_below(of.of, names, make)} END"
    return make(_operand(render(of, names)))


def _filter(node: Filter, names: Names) -> str:
    if not node.many:
        return _bound(
            node.of,
            node.variable,
            names,
            lambda item, inner: f"CASE WHEN {render(node.criteria, inner)} THEN {item} END",
        )
    _, head, inner = names.bind(node.variable)
    return f"list_filter({render(node.of, names)}, {head} {render(node.criteria, inner)})"


def _map(node: Map, names: Names) -> str:
    if not node.of.many:
        return _bound(node.of, node.variable, names, lambda _, inner: render(node.body, inner))
    _, head, inner = names.bind(node.variable)
    mapped = f"list_transform({render(node.of, names)}, {head} {render(node.body, inner)})"
    return f"flatten({mapped})" if node.body.many else _without_nulls(mapped, names)


def _bound(of: Typed, variable: Variable, names: Names, make: Callable[[str, Names], str]) -> str:
    """``make`` with the variable standing for a single item, which is worked out once."""
    item = render(of, names)
    if not item or _PLAIN.fullmatch(item):
        return make(item, names.stand(variable, item))
    name, head, inner = names.bind(variable)
    return f"list_transform([{item}], {head} {make(name, inner)})[1]"


def _pick(node: Pick, names: Names) -> str:
    if isinstance(node.index, int):
        return f"{_operand(render(node.of, names))}[{node.index}]"
    return _fill("list_extract({0}, CASE WHEN {1} >= 0 THEN {1} + 1 END)", (node.of, node.index), names)


def _operand(sql: str) -> str:
    """The SQL in parentheses where ``[`` or ``.`` cannot follow it."""
    return f"({sql})" if sql.startswith("CASE") else sql


def _single(node: Single, names: Names) -> str:
    message = text_literal(f"path {node.path}: more than one item where one is expected")
    told = Value("string", False, None, message, node.path)
    return _fill("CASE WHEN len({0}) > 1 THEN error({1}) ELSE {0}[1] END", (node.of, told), names)


def _some(node: Some, names: Names) -> str:
    of = node.of
    if of.many:
        default = str(node.negated).lower()
        return f"ifnull(len({render(of, names)}) {'= 0' if node.negated else '> 0'}, {default})"
    if isinstance(of, Here) and not of.name:
        return str(not node.negated).lower()
    if isinstance(of, Filter) and isinstance(of.of, Here) and not of.of.name:
        held = render(of.criteria, names.stand(of.variable, ""))
        return f"({held} IS {'NOT ' if node.negated else ''}TRUE)"
    return f"({render(of, names)} IS {'' if node.negated else 'NOT '}NULL)"


def _union(node: Union, names: Names) -> str:
    slots = [
        f"{{{i}}}" if part.many else f"CASE WHEN {{{i}}} IS NOT NULL THEN [{{{i}}}] END"
        for i, part in enumerate(node.parts)
    ]
    together = slots[0] if len(slots) == 1 else f"list_concat({', '.join(slots)})"
    if node.shape is not None and not node.shape.is_leaf():
        return _fill(together, node.parts, names)
    lists, items = f"e{names.depth + 1}", f"e{names.depth + 2}"
    place = f"i{names.depth + 2}"
    first = f"list_filter({lists}, lambda {items}, {place}: list_position({lists}, {items}) = {place})"
    inside = _fill(together, node.parts, names)
    return f"list_transform([{inside}], lambda {lists}: {first})[1]"


def _template(node: Template, names: Names) -> str:
    return _fill(node.sql, node.arguments, names)


def _fill(template: str, arguments: Sequence[Typed], names: Names) -> str:
    """The template with its arguments; a long one that stands twice is bound to a variable first."""
    slots = _SLOT.findall(template)
    twice = [i for i in range(len(arguments)) if slots.count(str(i)) > 1]
    inner = Names(names.items, names.ordinals, names.depth + len(twice))
    filled = [render(argument, inner) for argument in arguments]
    opened, closed = "", ""
    for place, i in enumerate(twice, names.depth + 1):
        if not _PLAIN.fullmatch(filled[i]):
            opened += f"list_transform([{filled[i]}], lambda e{place}: "
            filled[i] = f"e{place}"
            closed += ")[1]"
    sql = _SLOT.sub(lambda slot: filled[int(slot[1])], template)
    return opened + sql + closed


def _choice(node: Choice, _names: Names) -> str:
    raise TypeError(f"the type of {node.base}[x] was not picked")


_RENDER: dict[type[Typed], Callable[..., str]] = {
    Here: _here,
    Item: _item,
    Ordinal: _ordinal,
    Value: _value,
    Field: _field,
    Digits: _field,
    Whole: _field,
    Choice: _choice,
    Filter: _filter,
    Map: _map,
    Pick: _pick,
    Single: _single,
    Some: _some,
    Union: _union,
    Template: _template,
}
