"""From the syntax tree of a path to its typed tree."""

from __future__ import annotations

from collections.abc import Callable

from transforms.fhirpath.context import Context, Invocation
from transforms.fhirpath.fhir_functions import type_name
from transforms.fhirpath.functions import call, is_type
from transforms.fhirpath.grammar import (
    Binary,
    Call,
    Constant,
    Index,
    Literal,
    Member,
    Nothing,
    Signed,
    Special,
    Syntax,
)
from transforms.fhirpath.navigate import NOTHING, member, of_type, pick, single
from transforms.fhirpath.operators import binary, negative
from transforms.fhirpath.shape import text_literal
from transforms.fhirpath.tree import Ordinal, Typed, Value, kind

# Environment variables with a fixed value (FHIRPath 9, FHIR R4 2.9.2).
_ENVIRONMENT = {
    "ucum": "http://unitsofmeasure.org",
    "sct": "http://snomed.info/sct",
    "loinc": "http://loinc.org",
}
_FOCUS = ("context", "resource", "rootResource")


def resolve(syntax: Syntax, context: Context) -> Typed:
    """The typed tree of a syntax tree. Raises PathError where names, types or arguments do not fit."""
    return _RESOLVE[type(syntax)](syntax, context)


def _member(syntax: Member, context: Context) -> Typed:
    if syntax.of is None and context.here is context.root and syntax.name == context.root.type:
        return context.root
    return member(_focus(syntax.of, context), syntax.name, syntax.at, context)


def _call(syntax: Call, context: Context) -> Typed:
    return call(Invocation(_focus(syntax.of, context), syntax.name, syntax.arguments, syntax.at, context))


def _binary(syntax: Binary, context: Context) -> Typed:
    if syntax.op in ("is", "as"):
        return _typed(syntax, context)
    left, right = resolve(syntax.left, context), resolve(syntax.right, context)
    return binary(syntax.op, left, right, syntax.at, context)


def _indexed(syntax: Index, context: Context) -> Typed:
    return pick(resolve(syntax.of, context), _index(syntax.index, context), syntax.at, context)


def _signed(syntax: Signed, context: Context) -> Typed:
    of = resolve(syntax.of, context)
    return negative(of, syntax.at, context) if syntax.op == "-" else of


def _nothing(_syntax: Nothing, _context: Context) -> Typed:
    return NOTHING


def _focus(of: Syntax | None, context: Context) -> Typed:
    return context.here if of is None else resolve(of, context)


def _literal(literal: Literal, context: Context) -> Typed:
    match literal.type:
        case "string" | "date" | "dateTime" | "time":
            sql = text_literal(literal.text)
        case "decimal":
            sql = f"{literal.text}::DOUBLE"
        case "Quantity":
            raise context.error(literal.at, "quantities are not compared here: compare .value, and .code or .unit")
        case _:
            sql = literal.text
    return Value(literal.type, False, None, sql, literal.text)


def _typed(syntax: Binary, context: Context) -> Typed:
    """``left is Type`` and ``left as Type``."""
    name = type_name(syntax.right)
    if name is None:
        raise context.error(syntax.right.at, f"the name of a type should follow {syntax.op!r}")
    left = resolve(syntax.left, context)
    if syntax.op == "as":
        return of_type(left, name, syntax.at, context)
    return is_type(left, name, Invocation(left, "is", (), syntax.at, context))


def _index(syntax: Syntax, context: Context) -> int | Typed:
    """A number is counted from 1 then; anything else is worked out at run time."""
    if isinstance(syntax, Literal) and syntax.type == "integer":
        return int(syntax.text) + 1
    index = single(resolve(syntax, context), syntax.at, context)
    if kind(index.type) != "number" or index.type == "decimal":
        raise context.error(syntax.at, f"an index is an integer, not {index.type}")
    return index


def _constant(syntax: Constant, context: Context) -> Typed:
    name = syntax.name
    if name in context.constants:
        return context.constants[name]
    if name in _FOCUS:
        return context.root
    if name == "rowIndex" and context.row_index is not None:
        return Value("integer", False, None, context.row_index, "")
    if name in _ENVIRONMENT:
        return Value("uri", False, None, text_literal(_ENVIRONMENT[name]), _ENVIRONMENT[name])
    known = ", ".join(f"%{known}" for known in context.constants) or "none are defined"
    raise context.error(syntax.at, f"there is no constant %{name}; there are: {known}")


def _special(syntax: Special, context: Context) -> Typed:
    name = syntax.name
    if name == "$this":
        return context.here
    if name == "$index" and context.variable is not None:
        context.variable.indexed = True
        return Ordinal("integer", False, None, context.variable)
    raise context.error(syntax.at, f"{name} has no meaning here")


_RESOLVE: dict[type[Syntax], Callable[..., Typed]] = {
    Member: _member,
    Call: _call,
    Literal: _literal,
    Binary: _binary,
    Index: _indexed,
    Constant: _constant,
    Special: _special,
    Signed: _signed,
    Nothing: _nothing,
}
