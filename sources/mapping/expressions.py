"""The value of a target, as a mapping writes it: a column's name alone, or ``{column: NAME, ...}``."""

from __future__ import annotations

import yaml

from schemas.errors import UsageError
from schemas.mapping import Column, Concat, Constant, Expression, First, KeyOf, Lookup, Split
from schemas.mapping.expression import Origin
from schemas.mapping.layouts import parse_layout
from schemas.zones.names import known_zone
from sources.mapping.nodes import Nodes

_ORIGINS = ("column", "constant", "concat", "first", "key")
_OF_CONCAT = ("separator", "skip_missing")
_MORE = ("split", "lookup", "otherwise", "format", "years_from", "zone", "decimal", "thousands", "unit", "required")
_KEYS = (*_ORIGINS, *_OF_CONCAT, *_MORE)


def read_expression(nodes: Nodes, node: yaml.Node, *, nested: bool = False) -> Expression:
    """The expression that a node says. UsageError, with the line, for what is none.

    ``nested``: it is part of another, so that it cannot be required or have a unit.
    """
    if isinstance(node, yaml.ScalarNode):
        return Expression(Column(nodes.text(node)), line=nodes.line(node))
    told = nodes.pairs(node, _KEYS, "a value")
    given = [name for name in _ORIGINS if name in told]
    if len(given) != 1:
        said = "says nothing of where it comes from" if not given else f"says {' and '.join(given)}"
        nodes.fault(node, f"the value {said}: give one of {', '.join(_ORIGINS)}")
    for name in _OF_CONCAT:
        if name in told and given != ["concat"]:
            nodes.fault(told[name], f"{name} goes with concat only")
    for name in ("unit", "required"):
        if name in told and nested:
            nodes.fault(told[name], f"{name} is of a whole value, not of a part")
    return Expression(
        _origin(nodes, given[0], told),
        split=_split(nodes, told["split"]) if "split" in told else None,
        lookup=_lookup(nodes, told),
        formats=_formats(nodes, told),
        years_from=nodes.number(told["years_from"], 1, 9900) if "years_from" in told else None,
        zone=read_zone(nodes, told["zone"]) if "zone" in told else None,
        decimal=_mark(nodes, told, "decimal", ".", ".,"),
        thousands=_thousands(nodes, told),
        unit=read_expression(nodes, told["unit"], nested=True) if "unit" in told else None,
        required=nodes.truth(told["required"]) if "required" in told else False,
        line=nodes.line(node),
    )


def read_zone(nodes: Nodes, node: yaml.Node) -> str:
    """An IANA name. UsageError for another."""
    try:
        return known_zone(nodes.text(node))
    except UsageError as error:
        nodes.fault(node, str(error))


def _origin(nodes: Nodes, name: str, told: dict[str, yaml.Node]) -> Origin:
    node = told[name]
    if name == "column":
        return Column(nodes.text(node))
    if name == "constant":
        return Constant(nodes.text(node))
    if name == "key":
        return KeyOf(nodes.texts(node))
    parts = tuple(read_expression(nodes, item, nested=True) for item in nodes.items(node, name))
    if name == "first":
        return First(parts)
    separator = nodes.text(told["separator"], empty=True) if "separator" in told else ""
    return Concat(parts, separator, nodes.truth(told["skip_missing"]) if "skip_missing" in told else False)


def _split(nodes: Nodes, node: yaml.Node) -> Split:
    told = nodes.pairs(node, ("by", "part"), "split")
    if len(told) != 2:
        nodes.fault(node, "split needs by (the text between the parts) and part (its number, from 1 on)")
    return Split(nodes.text(told["by"]), nodes.number(told["part"], 1, 1000))


def _lookup(nodes: Nodes, told: dict[str, yaml.Node]) -> Lookup | None:
    if "lookup" not in told:
        if "otherwise" in told:
            nodes.fault(told["otherwise"], "otherwise goes with lookup only")
        return None
    entries = tuple(nodes.pairs_of_texts(told["lookup"], "lookup"))
    if not entries:
        nodes.fault(told["lookup"], "lookup is empty: give pairs of a text of the file and what it means")
    return Lookup(entries, nodes.text(told["otherwise"]) if "otherwise" in told else None)


def _formats(nodes: Nodes, told: dict[str, yaml.Node]) -> tuple[str, ...]:
    if "format" not in told:
        if "years_from" in told:
            nodes.fault(told["years_from"], "years_from goes with a format that has %y")
        return ()
    node = told["format"]
    formats = nodes.texts(node)
    two_digits = False
    for one in formats:
        try:
            two_digits |= parse_layout(one).two_digit_year
        except UsageError as error:
            nodes.fault(node, str(error))
    if two_digits and "years_from" not in told:
        nodes.fault(
            node, "%y has two digits, which say no century: give years_from, the first of the hundred years meant"
        )
    if "years_from" in told and not two_digits:
        nodes.fault(told["years_from"], "years_from goes with a format that has %y")
    return formats


def _mark(nodes: Nodes, told: dict[str, yaml.Node], name: str, usual: str, allowed: str) -> str:
    if name not in told:
        return usual
    mark = nodes.text(told[name])
    if len(mark) != 1 or mark not in allowed:
        nodes.fault(told[name], f"{name} is {mark!r}: give one of {' '.join(map(repr, allowed))}")
    return mark


def _thousands(nodes: Nodes, told: dict[str, yaml.Node]) -> str:
    mark = _mark(nodes, told, "thousands", "", ",.' \u00a0\u202f")
    if mark and mark == (nodes.text(told["decimal"]) if "decimal" in told else "."):
        nodes.fault(told["thousands"], f"thousands and decimal are both {mark!r}: one of them is another character")
    return mark
