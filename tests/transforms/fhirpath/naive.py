"""A FHIRPath interpreter that is slow and plain: what compiled SQL is held against.

A collection is a list of nodes, each with its FHIR type. Nothing is typed in advance and nothing is shared with the
compiler but the syntax tree and the table of FHIR types.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from schemas import fhir_types
from transforms.fhirpath.grammar import Binary, Call, Constant, Index, Literal, Member, Signed, Special, parse


class SeveralItems(Exception):
    """More than one item where FHIRPath takes one."""


@dataclass(frozen=True)
class Node:
    """A value with its FHIR type."""

    value: Any
    type: str


Nodes = list[Node]


@dataclass(frozen=True)
class Around:
    """What names without a focus mean."""

    this: Node
    root: Node
    index: int = 0
    constants: dict[str, Node] | None = None


def evaluate(path: str, resource: dict[str, Any], constants: dict[str, Node] | None = None) -> list[Any]:
    """The values of a path on a resource."""
    root = Node(resource, resource["resourceType"])
    return [node.value for node in walk(parse(path), Around(root, root, constants=constants))]


def walk(tree: Any, around: Around) -> Nodes:
    """The nodes of a syntax tree."""
    match tree:
        case Member(_, of, name):
            focus = [around.this] if of is None else walk(of, around)
            return [child for node in focus for child in children(node, name)]
        case Literal(_, kind, text):
            return [Node(_literal(kind, text), kind)]
        case Constant(_, name):
            return [around.root] if name == "resource" else [(around.constants or {})[name]]
        case Special(_, name):
            return [around.this] if name == "$this" else [Node(around.index, "integer")]
        case Signed(_, op, of):
            return [Node(-n.value if op == "-" else n.value, n.type) for n in _one(walk(of, around))]
        case Index(_, of, index):
            at = _one(walk(index, around))
            nodes = walk(of, around)
            return [nodes[at[0].value]] if at and 0 <= at[0].value < len(nodes) else []
        case Binary(_, "is" | "as" as op, left, Member(_, _, name)):
            return _of_type(walk(left, around), name, op == "is")
        case Binary(_, op, left, right):
            return _binary(op, walk(left, around), walk(right, around))
        case Call(_, of, name, arguments):
            focus = [around.this] if of is None else walk(of, around)
            return _call(name, focus, arguments, around)
    return []


def children(node: Node, name: str) -> Nodes:
    """The children of a node by name; of a choice whichever is there."""
    if not isinstance(node.value, dict):
        return []
    kind = node.value.get("resourceType", node.type)
    found: Nodes = []
    element = fhir_types.element(kind, name)
    for option in [element] if element else fhir_types.choices(kind, name):
        value = node.value.get(option.name)
        for item in value if isinstance(value, list) else [value]:
            if item is not None:
                own = item.get("resourceType") if isinstance(item, dict) else None
                found.append(Node(item, own or option.type))
    return found


def _literal(kind: str, text: str) -> Any:
    match kind:
        case "boolean":
            return text == "true"
        case "integer":
            return int(text)
        case "decimal":
            return float(text)
        case _:
            return text


def _one(nodes: Nodes) -> Nodes:
    if len(nodes) > 1:
        raise SeveralItems
    return nodes


def _truth(nodes: Nodes) -> bool | None:
    one = _one(nodes)
    if not one:
        return None
    return one[0].value if isinstance(one[0].value, bool) else True


def _answer(value: bool | None) -> Nodes:
    return [] if value is None else [Node(value, "boolean")]


def _of_type(nodes: Nodes, name: str, ask: bool) -> Nodes:
    if ask:
        return _answer(_one(nodes)[0].type == name if nodes else None)
    return [node for node in nodes if node.type == name]


def _binary(op: str, left: Nodes, right: Nodes) -> Nodes:
    if op in ("and", "or", "xor", "implies"):
        return _answer(_logic(op, _truth(left), _truth(right)))
    if op == "|":
        return _distinct(left + right)
    if op in ("=", "!="):
        if not left or not right:
            return []
        equal = _equal(left, right)
        return _answer(equal if op == "=" or equal is None else not equal)
    if op in ("~", "!~"):
        same = sorted(map(_fold, left)) == sorted(map(_fold, right))
        return _answer(same == (op == "~"))
    if op in ("in", "contains"):
        item, others = (left, right) if op == "in" else (right, left)
        return _answer(any(_equal([o], item) for o in others) if _one(item) else None)
    if op == "&":
        return [Node("".join(n.value for n in [*_one(left), *_one(right)]), "string")]
    if not _one(left) or not _one(right):
        return []
    if op in ("<", ">", "<=", ">="):
        return _answer(_ordered(op, left[0].value, right[0].value))
    return _arithmetic(op, left[0].value, right[0].value)


def _logic(op: str, a: bool | None, b: bool | None) -> bool | None:
    table: dict[str, Callable[[], bool | None]] = {
        "and": lambda: False if False in (a, b) else None if None in (a, b) else True,
        "or": lambda: True if True in (a, b) else None if None in (a, b) else False,
        "xor": lambda: None if None in (a, b) else a != b,
        "implies": lambda: True if a is False or b is True else None if a is None or b is None else b,
    }
    return table[op]()


def _distinct(nodes: Nodes) -> Nodes:
    kept: Nodes = []
    for node in nodes:
        if all(node.value != other.value for other in kept):
            kept.append(node)
    return kept


def _fold(node: Node) -> Any:
    return " ".join(node.value.split()).lower() if isinstance(node.value, str) else node.value


def _equal(left: Nodes, right: Nodes) -> bool | None:
    if len(left) != len(right):
        return False
    if len(left) == 1:
        return _ordered("=", left[0].value, right[0].value)
    return [n.value for n in left] == [n.value for n in right]


_TIME = re.compile(r"\d{4}(-\d\d(-\d\d(T.*)?)?)?|\d\d:\d\d(:\d\d(\.\d+)?)?")


def _ordered(op: str, a: Any, b: Any) -> bool | None:
    """Compare; dates by component, with instants in UTC (FHIRPath 6.2)."""
    if isinstance(a, str) and _TIME.fullmatch(a) and _TIME.fullmatch(b):
        first, second = _components(a), _components(b)
        if "T" not in a or "T" not in b:
            first, second = _components(a, False), _components(b, False)
        for one, other in zip(first, second, strict=False):
            if one != other:
                return {"=": False, "<": one < other, "<=": one < other}.get(op, one > other)
        if len(first) != len(second):
            return None
        return op in ("=", "<=", ">=")
    results: dict[str, bool] = {"=": a == b, "<": a < b, ">": a > b, "<=": a <= b, ">=": a >= b}
    return results[op]


def _components(text: str, shift: bool = True) -> list[float]:
    if "T" in text and shift:
        text = datetime.fromisoformat(text).astimezone(UTC).isoformat()
    day, _, clock = text.partition("T")
    if ":" in day:
        day, clock = "", day
    parts = [float(part) for part in day.split("-") if part]
    return parts + [float(part) for part in re.split("[+Z-]", clock)[0].split(":") if part]


def _arithmetic(op: str, a: Any, b: Any) -> Nodes:
    if isinstance(a, str):
        return [Node(a + b, "string")]
    whole = isinstance(a, int) and isinstance(b, int)
    x, y = Decimal(str(a)), Decimal(str(b))
    if op in ("/", "div", "mod") and y == 0:
        return []
    result = {
        "+": lambda: x + y, "-": lambda: x - y, "*": lambda: x * y, "/": lambda: x / y,
        "div": lambda: Decimal(math.trunc(x / y)), "mod": lambda: x - y * math.trunc(x / y),
    }[op]()  # fmt: skip
    if op == "div" or (whole and op != "/"):
        return [Node(int(result), "integer")]
    return [Node(float(result), "decimal")]


def _call(name: str, focus: Nodes, arguments: Any, around: Around) -> Nodes:
    def inner(node: Node, index: int, i: int = 0) -> Nodes:
        return walk(arguments[i], Around(node, around.root, index, around.constants))

    def kept() -> Nodes:
        return [n for i, n in enumerate(focus) if not arguments or _truth(inner(n, i)) is True]

    def given(i: int = 0) -> Any:
        return _one(walk(arguments[i], around))[0].value

    def chosen() -> Nodes:
        return walk(arguments[1 if _truth(walk(arguments[0], around)) else 2], around)

    def text(make: Callable[[str], Any]) -> Nodes:
        return [Node(make(n.value), "string") for n in _one(focus)]

    table: dict[str, Callable[[], Nodes]] = {
        "where": kept,
        "exists": lambda: _answer(bool(kept())),
        "all": lambda: _answer(len(kept()) == len(focus)),
        "empty": lambda: _answer(not focus),
        "not": lambda: _answer(None if (t := _truth(focus)) is None else not t),
        "count": lambda: [Node(len(focus), "integer")],
        "first": lambda: focus[:1],
        "last": lambda: focus[-1:],
        "tail": lambda: focus[1:],
        "skip": lambda: focus[max(given(), 0) :],
        "take": lambda: focus[: max(given(), 0)],
        "select": lambda: [c for i, n in enumerate(focus) for c in inner(n, i)],
        "distinct": lambda: _distinct(focus),
        "ofType": lambda: _of_type(focus, arguments[0].name, False),
        "extension": lambda: [e for n in focus for e in children(n, "extension") if e.value.get("url") == given()],
        "join": lambda: [Node(given().join(n.value for n in focus), "string")],
        "iif": chosen,
        "upper": lambda: text(str.upper),
        "length": lambda: [Node(len(n.value), "integer") for n in _one(focus)],
        "startsWith": lambda: text(lambda v: v.startswith(given())),
        "contains": lambda: text(lambda v: given() in v),
    }
    return table[name]()
