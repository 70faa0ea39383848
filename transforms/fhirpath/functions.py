"""The functions of FHIRPath (clause 5), FHIR's own, and SQL on FHIR's reference keys, over typed nodes."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from transforms.fhirpath.context import Invocation
from transforms.fhirpath.fhir_functions import (
    boundary,
    digits,
    extension,
    named_type,
    reference_key,
    resource_key,
)
from transforms.fhirpath.navigate import (
    NOTHING,
    boolean,
    is_a,
    is_root,
    of_type,
    pick,
    present,
    single,
    some,
    valued,
)
from transforms.fhirpath.operators import unified, union
from transforms.fhirpath.scalars import SCALARS, Scalar
from transforms.fhirpath.sql import decimal_text
from transforms.fhirpath.tree import (
    EMPTY,
    Choice,
    Filter,
    Item,
    Map,
    Template,
    Typed,
    Union,
    Value,
    kind,
)


class Function(msgspec.Struct, frozen=True):
    """How many arguments a function takes, and what makes its node."""

    least: int
    most: int
    node: Callable[[Invocation], Typed]


def call(invocation: Invocation) -> Typed:
    """The node of a call. Raises PathError for unknown functions and wrong arguments."""
    given = len(invocation.arguments)
    scalar = SCALARS.get(invocation.name)
    function = _FUNCTIONS.get(invocation.name)
    if scalar is not None:
        least, most = scalar.least, len(scalar.arguments)
    elif function is not None:
        least, most = function.least, function.most
    else:
        known = ", ".join(sorted([*_FUNCTIONS, *SCALARS]))
        raise invocation.context.error(invocation.at, f"there is no function {invocation.name}(); there are: {known}")
    if not least <= given <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise invocation.error(f"takes {wanted} argument(s), {given} given")
    if scalar is not None:
        return _scalar(invocation, scalar)
    assert function is not None
    return function.node(invocation)


def _scalar(invocation: Invocation, scalar: Scalar) -> Typed:
    context, at = invocation.context, invocation.at
    of = single(invocation.of, at, context)
    if of.type == EMPTY:
        return NOTHING
    if kind(of.type) not in scalar.takes:
        raise invocation.error(f"takes {' or '.join(scalar.takes)}, not {of.type}")
    arguments = [of]
    for i, wanted in enumerate(scalar.arguments[: len(invocation.arguments)]):
        argument = single(invocation.argument(i), at, context)
        if kind(argument.type) not in (wanted, EMPTY):
            raise invocation.error(f"its argument {i + 1} is a {wanted}, not {argument.type}")
        arguments.append(argument)
    sql = scalar.sql[len(arguments) - 1 - scalar.least]
    return Template(scalar.result or of.type, scalar.many, None, sql, tuple(arguments))


def _where(invocation: Invocation) -> Typed:
    of = valued(invocation.of, invocation.at, invocation.context)
    if of.type == EMPTY:
        return NOTHING
    variable, criteria = invocation.criteria(of)
    criteria = boolean(criteria, invocation.arguments[0].at, invocation.context)
    return Filter(of.type, of.many, of.shape, of, variable, criteria)


def _exists(invocation: Invocation) -> Typed:
    if invocation.arguments:
        return some(_where(invocation))
    return some(invocation.of)


def _all(invocation: Invocation) -> Typed:
    """No item for which the criteria is not true."""
    kept = _where(invocation)
    if not isinstance(kept, Filter):
        return Value("boolean", False, None, "true", "true")
    wrong = Template("boolean", False, None, "({0} IS NOT TRUE)", (kept.criteria,))
    return some(msgspec.structs.replace(kept, criteria=wrong), negated=True)


def _select(invocation: Invocation) -> Typed:
    of = valued(invocation.of, invocation.at, invocation.context)
    if of.type == EMPTY:
        return NOTHING
    variable, body = invocation.criteria(of)
    body = valued(body, invocation.arguments[0].at, invocation.context)
    if not of.many and not is_root(of):
        guard = some(Item(of.type, False, of.shape, variable))
        body = Template(body.type, body.many, body.shape, "CASE WHEN {0} THEN {1} END", (guard, body))
    return Map(body.type, of.many or body.many, body.shape, of, variable, body)


def _count(invocation: Invocation) -> Typed:
    of = present(invocation.of) if isinstance(invocation.of, Choice) and invocation.of.many else invocation.of
    if of.type == EMPTY and not isinstance(of, Choice):
        return Value("integer", False, None, "0", "0")
    if of.many:
        return Template("integer", False, None, "ifnull(len({0}), 0)", (of,))
    return Template("integer", False, None, "CAST({0} AS BIGINT)", (some(of),))


def _not(invocation: Invocation) -> Typed:
    of = boolean(invocation.of, invocation.at, invocation.context)
    return Template("boolean", False, None, "(NOT {0})", (of,))


def _picked(index: int) -> Callable[[Invocation], Typed]:
    return lambda invocation: pick(invocation.of, index, invocation.at, invocation.context)


def _single(invocation: Invocation) -> Typed:
    return single(invocation.of, invocation.at, invocation.context)


def _sliced(sql: str, of_single: str) -> Callable[[Invocation], Typed]:
    """tail, skip, take: a slice of a list; of one item by a condition."""

    def node(invocation: Invocation) -> Typed:
        of = valued(invocation.of, invocation.at, invocation.context)
        arguments = [of]
        for i in range(len(invocation.arguments)):
            argument = single(invocation.argument(i), invocation.at, invocation.context)
            if kind(argument.type) != "number":
                raise invocation.error("takes a number")
            arguments.append(argument)
        return Template(of.type, of.many, of.shape, sql if of.many else of_single, tuple(arguments))

    return node


def _of_type(invocation: Invocation) -> Typed:
    name = named_type(invocation, invocation.arguments[0])
    return of_type(invocation.of, name, invocation.at, invocation.context)


def _is(invocation: Invocation) -> Typed:
    return is_type(invocation.of, named_type(invocation, invocation.arguments[0]), invocation)


def is_type(of: Typed, name: str, invocation: Invocation) -> Typed:
    """``of is name``; empty when ``of`` is."""
    if isinstance(of, Choice) or (of.type == "Resource" and not is_a("Resource", name)):
        matches = some(of_type(of, name, invocation.at, invocation.context))
    else:
        matches = Value("boolean", False, None, str(is_a(of.type, name)).lower(), "")
    return Template("boolean", False, None, "CASE WHEN {0} THEN {1} END", (some(of), matches))


def _join(invocation: Invocation) -> Typed:
    of = valued(invocation.of, invocation.at, invocation.context)
    if kind(of.type) not in ("text", "date", "time", EMPTY):
        raise invocation.error(f"joins texts, not {of.type}")
    separator: Typed = Value("string", False, None, "''", "")
    if invocation.arguments:
        separator = single(invocation.argument(0), invocation.at, invocation.context)
    sql = "ifnull(array_to_string({0}, {1}), '')" if of.many else "ifnull({0}, '')"
    return Template("string", False, None, sql, (of, separator))


def _iif(invocation: Invocation) -> Typed:
    context, at = invocation.context, invocation.at
    condition = boolean(invocation.argument(0), at, context)
    yes = valued(invocation.argument(1), at, context)
    no = valued(invocation.argument(2), at, context) if len(invocation.arguments) > 2 else NOTHING
    kind_of = unified(yes, no, at, context)
    if yes.shape is not None and no.shape is not None:
        yes.shape.share(no.shape)
    many = yes.many or no.many
    if many:
        yes, no = (side if side.many or side.type == EMPTY else _listed(side) for side in (yes, no))
    sql = "CASE WHEN {0} THEN {1} ELSE {2} END"
    return Template(kind_of, many, yes.shape or no.shape, sql, (condition, yes, no))


def _listed(of: Typed) -> Typed:
    return Template(of.type, True, of.shape, "CASE WHEN {0} IS NOT NULL THEN [{0}] END", (of,))


def _union(invocation: Invocation) -> Typed:
    context, at = invocation.context, invocation.at
    return union(valued(invocation.of, at, context), valued(invocation.argument(0), at, context), at, context)


def _distinct(invocation: Invocation) -> Typed:
    of = valued(invocation.of, invocation.at, invocation.context)
    if kind(of.type) == "complex":
        raise invocation.error(f"compares single values, not {of.type}")
    return Union(of.type, True, None, (of,)) if of.many else of


def _to_string(invocation: Invocation) -> Typed:
    of = single(invocation.of, invocation.at, invocation.context)
    if (text := digits(of)) is not None:
        return text
    if kind(of.type) in ("complex", EMPTY):
        return NOTHING
    sql = decimal_text("{0}") if of.type == "decimal" else "CAST({0} AS VARCHAR)"
    return Template("string", False, None, sql, (of,))


_FUNCTIONS: dict[str, Function] = {
    "where": Function(1, 1, _where),
    "exists": Function(0, 1, _exists),
    "all": Function(1, 1, _all),
    "select": Function(1, 1, _select),
    "empty": Function(0, 0, lambda i: some(i.of, negated=True)),
    "not": Function(0, 0, _not),
    "count": Function(0, 0, _count),
    "first": Function(0, 0, _picked(1)),
    "last": Function(0, 0, _picked(-1)),
    "single": Function(0, 0, _single),
    "tail": Function(0, 0, _sliced("{0}[2:]", "CASE WHEN false THEN {0} END")),
    "skip": Function(1, 1, _sliced("{0}[greatest({1}, 0) + 1:]", "CASE WHEN {1} <= 0 THEN {0} END")),
    "take": Function(1, 1, _sliced("{0}[1:greatest({1}, 0)]", "CASE WHEN {1} > 0 THEN {0} END")),
    "ofType": Function(1, 1, _of_type),
    "as": Function(1, 1, _of_type),
    "is": Function(1, 1, _is),
    "extension": Function(1, 1, extension),
    "join": Function(0, 1, _join),
    "iif": Function(2, 3, _iif),
    "union": Function(1, 1, _union),
    "distinct": Function(0, 0, _distinct),
    "toString": Function(0, 0, _to_string),
    "lowBoundary": Function(0, 0, boundary(True)),
    "highBoundary": Function(0, 0, boundary(False)),
    "getResourceKey": Function(0, 0, resource_key),
    "getReferenceKey": Function(0, 1, reference_key),
}
