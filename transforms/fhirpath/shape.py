"""What a set of paths reads of a resource: the JSON keys and the DuckDB types to read them as.

A shape grows while paths are compiled and is rendered afterwards, because what one path asks changes how
others must be read: an element asked for whole is read as JSON, and its children are then taken out of that
text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from schemas import fhir_types
from schemas.fhir_types import JsonType

_PRIMITIVES = {"string": "VARCHAR", "number": "DOUBLE", "integer": "BIGINT", "boolean": "BOOLEAN"}
_Variant = tuple[str, str, bool]  # JSON key, FHIR type, many
_Layout: TypeAlias = "str | list[_Layout] | dict[str, _Layout]"  # a DuckDB type, as from_json spells it


def duckdb_type(primitive: str) -> str:
    """VARCHAR, DOUBLE, BIGINT or BOOLEAN: how a FHIR primitive is read."""
    return _PRIMITIVES[fhir_types.json_type(primitive)]


def identifier(name: str) -> str:
    """A name quoted for SQL."""
    return '"' + name.replace('"', '""') + '"'


def text_literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A primitive that is read with its type; ``path`` are the JSON keys that lead to it."""

    path: tuple[str, ...]
    json_type: JsonType
    many: bool  # the value itself is an array


class Shape:
    """One JSON value that is read: its FHIR type and the children touched so far.

    ``children`` is keyed by JSON key, type and cardinality: below ``contained`` one key may have several
    types.
    """

    __slots__ = ("as_items", "as_whole", "children", "key", "many", "parent", "settled", "type")

    def __init__(self, key: str, type_name: str, many: bool = False, parent: Shape | None = None) -> None:
        self.key = key
        self.type = type_name
        self.many = many
        self.parent = parent
        self.children: dict[_Variant, Shape] = {}
        self.as_whole = False  # somebody wants the JSON text of the value (of a list: of the whole list)
        self.as_items = False  # somebody wants the JSON text of single items of a list
        self.settled = False  # SQL that depends on how it is read has been rendered

    def child(self, key: str, type_name: str, many: bool = False) -> Shape:
        """The child of that key, added when it is new."""
        found = self.children.get((key, type_name, many))
        if found is None:
            for variant in self.variants(key):
                variant._must_not_be_settled()
            found = self.children[key, type_name, many] = Shape(key, type_name, many, self)
        return found

    def variants(self, key: str) -> list[Shape]:
        """The children of that key: one, or several types of it."""
        return [shape for variant, shape in self.children.items() if variant[0] == key]

    def want_whole(self) -> None:
        """Have the value read as JSON text."""
        if not self.as_whole:
            self._must_not_be_settled()
            self.as_whole = True

    def want_items(self) -> None:
        """Have the items of a list read as JSON text, one by one; a single value whole."""
        if not self.many:
            self.want_whole()
        elif not self.as_items:
            self._must_not_be_settled()
            self.as_items = True

    def share(self, other: Shape) -> None:
        """Give two values of one type the same children, so that they have one SQL type too."""
        if self.children is not other.children:
            self.children.update({k: v for k, v in other.children.items() if k not in self.children})
            other.children = self.children

    def reads_text(self) -> bool:
        """True when the value (of a list: the list) is read as JSON text.

        So are resources within resources: one key may have another type in each.
        """
        if self.as_whole or self.type == "Resource":
            return True
        return self.parent is not None and len(self.parent.variants(self.key)) > 1

    def items_are_text(self) -> bool:
        """True when one item is JSON text, so that its children must be taken out with ``from_json``."""
        return self.as_items or (not self.many and self.reads_text())

    def is_leaf(self) -> bool:
        """True for a FHIR primitive."""
        return fhir_types.is_primitive(self.type)

    def columns(self) -> dict[str, str]:
        """The DuckDB types of the children by JSON key, as ``read_ndjson(columns=...)`` takes them."""
        return {key: _sql_type(layout) for key, layout in self._fields().items()}

    def structure(self) -> str:
        """The value as the structure that ``from_json`` takes; of a list, one item."""
        return json.dumps(self._item(), separators=(",", ":"))

    def leaves(self) -> Iterator[Leaf]:
        """The primitives that are read with their own type, in the order in which they were touched."""
        yield from self._leaves(())

    def has_text(self) -> bool:
        """True when a value at any depth is read as JSON text, with whatever is in it."""
        return any(shape.reads_text() or shape.as_items or shape.has_text() for shape in self.children.values())

    def literals(self) -> frozenset[str]:
        """The names of decimals whose digits are wanted as sent (see :func:`compile_path`), at any depth."""
        own = {key[1:] for key, _, _ in self.children if key.startswith("#")}
        return frozenset(own.union(*(shape.literals() for shape in self.children.values())))

    def _must_not_be_settled(self) -> None:
        if self.settled:
            raise RuntimeError(f"{self.key!r} is asked for as JSON after SQL that reads it otherwise was rendered")

    def _fields(self) -> dict[str, _Layout]:
        return {key: shape._layout() for (key, _, _), shape in self.children.items()}

    def _item(self) -> _Layout:
        if self.is_leaf():
            return duckdb_type(self.type)
        return self._fields() or "JSON"

    def _layout(self) -> _Layout:
        if self.reads_text():
            return "JSON"
        item = "JSON" if self.as_items else self._item()
        return [item] if self.many else item

    def _leaves(self, path: tuple[str, ...]) -> Iterator[Leaf]:
        for shape in self.children.values():
            if shape.reads_text() or shape.as_items or shape.key.startswith("#"):
                continue
            here = (*path, shape.key)
            if shape.is_leaf():
                yield Leaf(here, fhir_types.json_type(shape.type), shape.many)
            else:
                yield from shape._leaves(here)


def _sql_type(layout: _Layout) -> str:
    if isinstance(layout, str):
        return layout
    if isinstance(layout, list):
        return f"{_sql_type(layout[0])}[]"
    fields = ", ".join(f"{identifier(key)} {_sql_type(field)}" for key, field in layout.items())
    return f"STRUCT({fields})"
