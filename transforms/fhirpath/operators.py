"""The operators of FHIRPath (clause 6) over typed nodes, as SQL templates."""

from __future__ import annotations

import re

from transforms.fhirpath import temporal
from transforms.fhirpath.context import Context
from transforms.fhirpath.navigate import NOTHING, boolean, single, some, valued
from transforms.fhirpath.shape import text_literal
from transforms.fhirpath.tree import EMPTY, Template, Typed, Union, Value, kind

# Doubles carry 15 decimal digits: rounding to them gives the sum that decimal arithmetic gives (0.1 + 0.2 =
# 0.3).
_ROUND = "CAST(format('{:.15g}', %s) AS DOUBLE)"
# Wide enough for any measured value; a decimal beyond it has no exact remainder.
_EXACT = "DECIMAL(38, 12)"
_LOGIC = {
    "and": "({0} AND {1})",
    "or": "({0} OR {1})",
    "xor": "({0} <> {1})",
    "implies": "(NOT {0} OR {1})",
}
_DAY = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
_ORDER = ("<", ">", "<=", ">=")


def binary(op: str, left: Typed, right: Typed, at: int, context: Context) -> Typed:
    """The node of ``left op right``. Raises PathError when the operator does not take these types."""
    if op in _LOGIC:
        return _boolean(_LOGIC[op], boolean(left, at, context), boolean(right, at, context))
    left, right = valued(left, at, context), valued(right, at, context)
    if op == "|":
        return union(left, right, at, context)
    if op in ("in", "contains"):
        return _membership(*((left, right) if op == "in" else (right, left)), at, context)
    if op in ("=", "!=", "~", "!~"):
        equal = (_equality if op in ("=", "!=") else _equivalence)(left, right, at, context)
        return equal if op in ("=", "~") else _boolean("(NOT {0})", equal)
    left, right = single(left, at, context), single(right, at, context)
    if op in _ORDER:
        return _order(op, left, right, at, context)
    return _arithmetic(op, left, right, at, context)


def negative(of: Typed, at: int, context: Context) -> Typed:
    """``-of``."""
    of = single(of, at, context)
    if kind(of.type) not in ("number", EMPTY):
        raise context.error(at, f"'-' takes a number, not a {of.type}")
    return Template(_number(of.type), False, None, "(-{0})", (of,))


def union(left: Typed, right: Typed, at: int, context: Context) -> Typed:
    """``left | right``: the items of both; of primitives each value once, in the order of the first."""
    if EMPTY in (left.type, right.type):
        return left if right.type == EMPTY else right
    type_name = unified(left, right, at, context)
    shape = left.shape
    if left.shape is not None and right.shape is not None:
        left.shape.share(right.shape)
    return Union(type_name, True, shape, (left, right))


def unified(left: Typed, right: Typed, at: int, context: Context) -> str:
    """The type that holds the values of both. Raises PathError when their SQL types differ."""
    if EMPTY in (left.type, right.type):
        return left.type if right.type == EMPTY else right.type
    if left.type == right.type:
        return left.type
    kinds = {kind(left.type), kind(right.type)}
    if kinds == {"number"}:
        return "integer" if "decimal" not in (left.type, right.type) else "decimal"
    if "complex" in kinds or not kinds <= {"text", "date", "time"}:
        raise context.error(at, f"{left.type} and {right.type} cannot stand in one collection")
    return "dateTime" if kinds == {"date"} else "string"


def _equality(left: Typed, right: Typed, at: int, context: Context) -> Typed:
    """``left = right`` (FHIRPath 6.1.1); empty when one side is."""
    left, right, of_kind = _alike("=", left, right, at, context)
    if of_kind == EMPTY:
        return Value("boolean", False, None, "NULL::BOOLEAN", "")
    if of_kind in ("date", "time") and not (left.many and right.many):
        compared = _temporal("=", single(left, at, context), single(right, at, context), at, context)
        lists = [node for node in (left, right) if node.many]
        if not lists:
            return compared
        return _boolean("CASE WHEN len({0}) > 1 THEN false ELSE {1} END", lists[0], compared)
    if not left.many and not right.many:
        return _boolean("({0} = {1})", left, right)
    if left.many and right.many:
        return _boolean("CASE WHEN len({0}) > 0 AND len({1}) > 0 THEN {0} = {1} END", left, right)
    if right.many:
        left, right = right, left
    there = "" if isinstance(right, Value) else " AND {1} IS NOT NULL"
    return _boolean(f"CASE WHEN len({{0}}) > 0{there} THEN {{0}} = [{{1}}] END", left, right)


def _equivalence(left: Typed, right: Typed, at: int, context: Context) -> Typed:
    """``left ~ right`` (FHIRPath 6.1.2): never empty; case, white space and order do not count."""
    if EMPTY in (left.type, right.type):
        return some(right if left.type == EMPTY else left, negated=True)
    left, right, of_kind = _alike("~", left, right, at, context)
    fold = r"lower(regexp_replace(trim(%s), '\s+', ' ', 'g'))" if of_kind == "text" else "%s"
    if not left.many and not right.many:
        return _boolean(f"({fold % '{0}'} IS NOT DISTINCT FROM {fold % '{1}'})", left, right)
    sides = []
    for slot, node in (("{0}", left), ("{1}", right)):
        items = slot if node.many else f"list_filter([{slot}], lambda v: v IS NOT NULL)"
        sides.append(f"list_sort(list_transform(ifnull({items}, []), lambda v: {fold % 'v'}))")
    return _boolean(f"({sides[0]} = {sides[1]})", left, right)


def _order(op: str, left: Typed, right: Typed, at: int, context: Context) -> Typed:
    left, right, of_kind = _alike(op, left, right, at, context)
    if of_kind == "boolean":
        raise context.error(at, f"{op!r} does not compare booleans")
    if of_kind in ("date", "time"):
        return _temporal(op, left, right, at, context)
    return _boolean(f"({{0}} {op} {{1}})", left, right)


def _temporal(op: str, left: Typed, right: Typed, at: int, context: Context) -> Typed:
    if _is_day(left) and not _is_day(right):
        left, right, op = right, left, _MIRRORED.get(op, op)
    if _is_day(right) and isinstance(right, Value):
        return _boolean(temporal.comparison_with_day(op, right.text), left)
    left, right = _with_offset(left, at, context), _with_offset(right, at, context)
    full = all(node.type == "instant" or (isinstance(node, Value) and len(node.text) > 10) for node in (left, right))
    return _boolean(temporal.comparison(op, kind(left.type) == "time", full), left, right)


def _is_day(node: Typed) -> bool:
    """True for a literal date (or a text that is one)."""
    return isinstance(node, Value) and _DAY.fullmatch(node.text) is not None


def _with_offset(node: Typed, at: int, context: Context) -> Typed:
    """A literal with a time of day and no offset is in UTC; one without seconds is refused."""
    if not isinstance(node, Value) or "T" not in node.text:
        return node
    day, _, clock = node.text.partition("T")
    bare = clock.rstrip("Z").partition("+")[0].partition("-")[0]
    if len(bare) < len("00:00:00"):
        raise context.error(at, "a date and time that is compared needs its seconds, or leave out the time")
    text = node.text if bare != clock else f"{day}T{clock}Z"
    return Value(node.type, False, None, text_literal(text), text)


def _alike(op: str, left: Typed, right: Typed, at: int, context: Context) -> tuple[Typed, Typed, str]:
    """Both sides and their common kind; a text literal beside a date is read as one."""
    kinds = kind(left.type), kind(right.type)
    if EMPTY in kinds:
        return NOTHING, NOTHING, EMPTY
    if kinds[0] != kinds[1] and "text" in kinds and ({"date", "time"} & {*kinds}):
        kinds = (kinds[0] if kinds[1] == "text" else kinds[1],) * 2
    if kinds[0] != kinds[1]:
        raise context.error(at, f"{op!r} never holds between {left.type} and {right.type}")
    if kinds[0] == "complex":
        raise context.error(at, f"{op!r} compares single values, not {left.type}: name the element of it")
    return left, right, kinds[0]


def _membership(item: Typed, collection: Typed, at: int, context: Context) -> Typed:
    item = single(item, at, context)
    if item.type == EMPTY:
        return Value("boolean", False, None, "NULL::BOOLEAN", "")
    if collection.type == EMPTY:
        return _boolean("CASE WHEN {0} THEN false END", some(item))
    item, collection, _ = _alike("in", item, collection, at, context)
    if not collection.many:
        inside = _boolean("ifnull({0}, false)", _equality(item, collection, at, context))
        return _boolean("CASE WHEN {0} THEN {1} END", some(item), inside)
    return _boolean("CASE WHEN {0} IS NOT NULL THEN ifnull(list_contains({1}, {0}), false) END", item, collection)


def _arithmetic(op: str, left: Typed, right: Typed, at: int, context: Context) -> Typed:
    kinds = {kind(left.type), kind(right.type)} - {EMPTY}
    if op == "&":
        if not kinds <= {"text", "date", "time"}:
            raise context.error(at, f"'&' joins texts, not {left.type} and {right.type}; use toString()")
        return Template("string", False, None, "concat({0}, {1})", (left, right))
    if not kinds:
        return NOTHING
    if op == "+" and kinds == {"text"}:
        return Template("string", False, None, "({0} || {1})", (left, right))
    if kinds != {"number"}:
        raise context.error(at, f"{op!r} takes numbers, not {left.type} and {right.type}")
    whole = "decimal" not in (left.type, right.type)
    sql, whole = _arithmetic_sql(op, whole)
    return Template("integer" if whole else "decimal", False, None, sql, (left, right))


def _arithmetic_sql(op: str, whole: bool) -> tuple[str, bool]:
    """The template, and whether its result is an integer. A division by zero is empty (FHIRPath 6.6)."""
    if op == "/":
        return _ROUND % "{0} / nullif({1}, 0)", False
    if op == "div":
        if whole:
            return "({0} // nullif({1}, 0))", True
        return f"CAST(trunc({_ROUND % '{0} / nullif({1}, 0)'}) AS BIGINT)", True
    if op == "mod":
        if whole:
            return "({0} % nullif({1}, 0))", True
        exact = f"CAST({{0}} AS {_EXACT}) % nullif(CAST({{1}} AS {_EXACT}), 0)"
        return f"CAST({exact} AS DOUBLE)", False
    return (f"({{0}} {op} {{1}})", True) if whole else (_ROUND % f"{{0}} {op} {{1}}", False)


def _number(type_name: str) -> str:
    return "decimal" if type_name == "decimal" else "integer"


def _boolean(sql: str, *arguments: Typed) -> Typed:
    return Template("boolean", False, None, sql, arguments)
