"""The typed tree of a path: every node knows its FHIR type, whether it may hold many items, and what it
reads.

:mod:`transforms.fhirpath.resolve` makes it from the syntax tree, :mod:`transforms.fhirpath.sql` renders it.
"""

from __future__ import annotations

import msgspec

from schemas import fhir_types
from schemas.fhir_types import Element
from transforms.fhirpath.shape import Shape

EMPTY = "empty"  # the type of ``{}``


class Variable:
    """A lambda variable: its own identity; ``indexed`` when ``$index`` is asked for."""

    __slots__ = ("indexed",)

    def __init__(self) -> None:
        self.indexed = False


class Typed(msgspec.Struct, frozen=True, eq=False):
    """A node: its FHIR type, whether it is a collection (a LIST), and the shape its items are read as."""

    type: str
    many: bool
    shape: Shape | None


class Here(Typed, frozen=True, eq=False):
    """The focus: the resource (``name`` is its table's alias, "" for none), or one item, named by SQL."""

    name: str


class Item(Typed, frozen=True, eq=False):
    """The item that a lambda variable stands for."""

    variable: Variable


class Ordinal(Typed, frozen=True, eq=False):
    """``$index`` of a lambda variable, counted from 0."""

    variable: Variable


class Field(Typed, frozen=True, eq=False):
    """The child ``key`` of ``of``; ``repeats`` when the element itself is a list. ``shape`` is never None."""

    of: Typed
    key: str
    repeats: bool


class Digits(Typed, frozen=True, eq=False):
    """The text of the decimal ``key`` of ``of`` with its digits as sent."""

    of: Typed
    key: str


class Whole(Typed, frozen=True, eq=False):
    """The JSON text of the child ``key`` of ``of``."""

    of: Typed
    key: str


class Choice(Typed, frozen=True, eq=False):
    """A choice element of which no type has been picked yet. It has no SQL of its own."""

    of: Typed
    base: str
    options: tuple[Element, ...]


class Value(Typed, frozen=True, eq=False):
    """A literal or constant: ``sql``, and its text for what is worked out in advance."""

    sql: str
    text: str


class Filter(Typed, frozen=True, eq=False):
    """The items of ``of`` for which ``criteria`` is true."""

    of: Typed
    variable: Variable
    criteria: Typed


class Map(Typed, frozen=True, eq=False):
    """``body`` for every item of ``of``, strung together."""

    of: Typed
    variable: Variable
    body: Typed


class Pick(Typed, frozen=True, eq=False):
    """One item of the list ``of``: ``index`` counts from 1, or from the end as -1; an Typed counts from 0."""

    of: Typed
    index: int | Typed


class Single(Typed, frozen=True, eq=False):
    """The only item of the list ``of``; more than one is an error at run time, which names the path."""

    of: Typed
    path: str


class Some(Typed, frozen=True, eq=False):
    """True when ``of`` has an item, else false, never empty; ``negated`` the reverse."""

    of: Typed
    negated: bool


class Union(Typed, frozen=True, eq=False):
    """The items of both, each primitive once."""

    parts: tuple[Typed, ...]


class Template(Typed, frozen=True, eq=False):
    """SQL with ``{0}``, ``{1}`` ... for its arguments.

    ``simple``: arguments that stand more than once in ``sql`` are bound to a variable first, unless they
    are short.
    """

    sql: str
    arguments: tuple[Typed, ...]


def is_text(type_name: str) -> bool:
    """True for types that are compared as plain text (code, uri, id, ...)."""
    return kind(type_name) == "text"


def kind(type_name: str) -> str:
    """text, number, boolean, date (also dateTime and instant), time, empty, or complex."""
    if type_name in ("date", "dateTime", "instant"):
        return "date"
    if type_name in ("time", EMPTY):
        return type_name
    if not fhir_types.is_primitive(type_name):
        return "complex"
    found = fhir_types.json_type(type_name)
    if found == "boolean":
        return "boolean"
    return "text" if found == "string" else "number"
