"""FHIRPath to DuckDB SQL: the face of this package.

    scope = Scope.root("Observation")
    code = compile_path("code.coding.where(system = 'http://loinc.org').first().code", scope)
    scope.shape.columns()   # {"code": 'STRUCT("coding" STRUCT("system" VARCHAR, "code" VARCHAR)[])'}
    code.sql                # list_filter("code"."coding", lambda e1: ...)[1]."code"

Compile all paths of a scope first, then take ``columns()`` and ``sql``: what one path asks may change how
the others have to read (an element that is wanted whole is read as JSON).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import msgspec

from schemas import fhir_types
from transforms.fhirpath.context import Context
from transforms.fhirpath.fhir_functions import digits
from transforms.fhirpath.grammar import parse
from transforms.fhirpath.navigate import boolean, is_root, single, valued
from transforms.fhirpath.resolve import resolve
from transforms.fhirpath.shape import Shape, duckdb_type, text_literal
from transforms.fhirpath.sql import decimal_text, json_as_sent, render
from transforms.fhirpath.tree import (
    EMPTY,
    Choice,
    Field,
    Filter,
    Here,
    Template,
    Typed,
    Union,
    Value,
    Whole,
    kind,
)


class Scope(msgspec.Struct, frozen=True, eq=False):
    """What paths start from: a resource, or one item of a compiled collection."""

    type: str  # FHIR type of the focus
    shape: Shape  # what has been read of it so far
    focus: Here
    resource: Here
    constants: Mapping[str, Value]
    row_index: str | None

    @staticmethod
    def root(
        resource_type: str,
        constants: Mapping[str, Value] | None = None,
        alias: str = "",
        row_index: str | None = "0",
    ) -> Scope:
        """The scope of a resource, whose JSON keys are columns (of the table ``alias``, when it is given).

        ``constants`` are made by :func:`constant`; ``row_index`` is the SQL of ``%rowIndex``.
        Raises UnknownTypeError when FHIR R4 has no such resource.
        """
        fhir_types.elements(resource_type)
        shape = Shape("", resource_type)
        here = Here(resource_type, False, shape, alias)
        return Scope(resource_type, shape, here, here, constants or {}, row_index)

    def within(self, collection: Compiled, variable: str, row_index: str | None = None) -> Scope:
        """The scope of one item of a collection: ``variable`` is the name to which a lambda binds it.

        Names of the form ``e1`` and ``i1`` are used by compiled SQL itself. ``%rowIndex`` is ``row_index``,
        if given.
        """
        shape = collection.node.shape or Shape("", collection.type)
        here = Here(collection.type, False, shape, variable)
        return Scope(collection.type, shape, here, self.resource, self.constants, row_index or self.row_index)

    def detached(self, type_name: str, variable: str, text: bool = False, row_index: str = "0") -> Scope:
        """The scope of a value that is read by itself, not as part of this one: it has a shape of its own.

        ``variable`` is the SQL of the value: a struct of ``shape.structure()``, or with ``text`` its JSON
        text.
        """
        shape = Shape("", type_name)
        if text:
            shape.want_whole()
        here = Here(type_name, False, shape, variable)
        return Scope(type_name, shape, here, self.resource, self.constants, row_index)

    def context(self, path: str) -> Context:
        """The surroundings of a path that starts here."""
        return Context(path, self.focus, self.resource, self.constants, self.row_index, resolve)


class Compiled:
    """A compiled path: its FHIR type ("empty" for ``{}``), whether it is a collection, and its SQL."""

    def __init__(self, path: str, node: Typed, json: bool = False, type_name: str | None = None) -> None:
        """``json``: the SQL is JSON text. ``type_name``: the FHIR type, where the SQL shows another."""
        self.path = path
        self.node = node
        self.type = type_name or node.type
        self.many = node.many
        self.json = json

    @cached_property
    def sql(self) -> str:
        """A scalar expression, or a LIST for a collection; rendered when first asked for."""
        return render(self.node)

    @property
    def sql_type(self) -> str:
        """The DuckDB type of the SQL: VARCHAR, DOUBLE, BIGINT, BOOLEAN or STRUCT, with [] for collections."""
        suffix = "[]" if self.many else ""
        if self.type == EMPTY:
            return "NULL"
        if self.json or self.node.type == "string":
            return f"VARCHAR{suffix}"
        return f"{duckdb_type(self.type) if fhir_types.is_primitive(self.type) else 'STRUCT'}{suffix}"


def constant(type_name: str, value: str | float | bool) -> Value:
    """A constant (``%name``) of a primitive FHIR type. Raises ValueError if the value is of another."""
    expected = fhir_types.json_type(type_name)
    given = "boolean" if isinstance(value, bool) else "string" if isinstance(value, str) else "number"
    if expected != given and not (expected == "integer" and isinstance(value, int) and given == "number"):
        raise ValueError(f"a {type_name} is a {expected}, not a {given}")
    if isinstance(value, str):
        return Value(type_name, False, None, text_literal(value), value)
    text = str(value).lower()
    return Value(type_name, False, None, f"{text}::DOUBLE" if expected == "number" else text, text)


def compile_path(path: str, scope: Scope, *, literal: bool = False, one: bool = False) -> Compiled:
    """The SQL of a path that starts at ``scope``.

    ``literal``: for a path that ends in a decimal element, the text of its digits as sent: taken from the
    sibling ``"#name"`` that the loader adds where the digits are not canonical, else the shortest text of
    the number. ``one``: a collection is an error at run time if it holds more than one item, else its item.
    Raises PathError when the path is not FHIRPath or does not fit the type.
    """
    context = scope.context(path)
    node = valued(resolve(parse(path), context), 0, context)
    if literal:
        as_sent = digits(node)
        if as_sent is None:
            raise context.error(0, f"digits as sent are kept of decimal elements only, not of this {node.type}")
        node = as_sent
    if one:
        node = single(node, 0, context)
    _must_be_value(node, context)
    return Compiled(path, node)


def compile_digits(path: str, scope: Scope, *, one: bool = False) -> Compiled:
    """As :func:`compile_path`, but a decimal is its text: the digits as sent of an element, else the shortest."""
    context = scope.context(path)
    node = valued(resolve(parse(path), context), 0, context)
    type_name = node.type
    if type_name == "decimal":
        node = _decimal_text(node)
    if one:
        node = single(node, 0, context)
    _must_be_value(node, context)
    return Compiled(path, node, type_name=type_name)


def compile_items(path: str, scope: Scope, *, one: bool = False) -> Compiled:
    """The SQL of the items of a path of complex type as JSON texts: a LIST, or with ``one`` its only item."""
    context = scope.context(path)
    node = valued(resolve(parse(path), context), 0, context)
    _must_be_value(node, context)
    if kind(node.type) != "complex":
        raise context.error(0, f"its items are single values of type {node.type}")
    _want_items(node, context)
    if one:
        node = single(node, 0, context)
    elif not node.many:
        node = Template(node.type, True, node.shape, "CASE WHEN {0} IS NOT NULL THEN [{0}] END", (node,))
    return Compiled(path, node, json=True)


def compile_condition(path: str, scope: Scope, *, strict: bool = False) -> Compiled:
    """The SQL of a path as a boolean: true, false or NULL.

    An item that is no boolean counts as true (FHIRPath 4.5), but with ``strict`` it is a PathError.
    """
    context = scope.context(path)
    node = resolve(parse(path), context)
    if strict and kind(node.type) != "boolean":
        what = "several types" if isinstance(node, Choice) else f"a {node.type}"
        raise context.error(0, f"a condition is true or false and this is {what}: compare it, or use exists()")
    return Compiled(path, boolean(node, 0, context))


def compile_json(path: str, scope: Scope) -> Compiled:
    """The SQL of an element whole, as JSON text (VARCHAR).

    An element that repeats is one text, the JSON array; below other repeating elements, and after functions
    that pick items, there is one text for each item.
    """
    context = scope.context(path)
    node = valued(resolve(parse(path), context), 0, context)
    _must_be_value(node, context)
    if kind(node.type) != "complex":
        return Compiled(path, Template(node.type, False, None, "CAST(to_json({0}) AS VARCHAR)", (node,)), json=True)
    if isinstance(node, Field):
        if node.shape is not None:
            node.shape.want_whole()
        return Compiled(path, Whole(node.type, node.of.many, node.shape, node.of, node.key), json=True)
    _want_items(node, context)
    text = json_as_sent(f"CAST({'v' if node.many else '{0}'} AS VARCHAR)")
    sql = f"list_transform({{0}}, lambda v: {text})" if node.many else text
    return Compiled(path, Template(node.type, node.many, None, sql, (node,)), json=True)


def _want_items(node: Typed, context: Context) -> None:
    for part in node.parts if isinstance(node, Union) else (node,):
        if part.shape is None or isinstance(part, Template):
            raise context.error(0, f"this {node.type} is worked out and has no JSON of its own")
        part.shape.want_items()


def _decimal_text(node: Typed) -> Typed:
    """A decimal as text; several that were joined or filtered have only their value left."""
    if (as_sent := digits(node)) is not None:
        return as_sent
    text = decimal_text("v" if node.many else "{0}")
    sql = f"list_transform({{0}}, lambda v: {text})" if node.many else text
    return Template("string", node.many, None, sql, (node,))


def _must_be_value(node: Typed, context: Context) -> None:
    bare = node.of if isinstance(node, Filter) else node
    if is_root(bare) and not (isinstance(bare, Here) and bare.name):
        raise context.error(0, f"this is the {bare.type} itself, not a value: name an element")
