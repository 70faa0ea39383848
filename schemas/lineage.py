"""Where each column of a table comes from: the FHIRPath of its model, in the resource type of its table."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from schemas.errors import UsageError
from schemas.table import IDENTITY, Column, Element, Kind, Table

AS_SENT, DERIVED = "IDENTITY", "TRANSFORMATION"  # OpenLineage's words for what was done to a value
_ITEM = "$this"


@dataclass(frozen=True, slots=True)
class Origin:
    """A column and the element it is read from. ``path`` is empty where clinmart itself makes the column.

    ``column`` has the names of the lists around it, ``components.value_number``; the path leads from the resource.
    """

    table: str
    column: str
    dtype: str
    description: str
    resource_type: str
    path: str
    done: str  # AS_SENT or DERIVED
    phi: bool


def origins(table: Table) -> Iterator[Origin]:
    """All columns of a table with their origin, those of lists after the list."""
    for column in IDENTITY:
        made = AS_SENT if column.name in ("id", "version_id") else DERIVED
        yield _origin(table, column, column.name, column.path, made)
    for element in table.elements:
        yield from _of(table, element, "", "")


def origins_of_child(table: Table, element: Element) -> Iterator[Origin]:
    """The columns of a child table, one row for each item of ``element``."""
    for origin in origins(table):
        if origin.column in ("source", "id"):
            yield origin
    listed = element.columns[0].name
    for origin in _of(table, element, "", ""):
        if origin.column.startswith(f"{listed}."):
            yield Origin(
                element.child_table or "",
                origin.column.removeprefix(f"{listed}."),
                origin.dtype,
                origin.description,
                origin.resource_type,
                origin.path,
                origin.done,
                origin.phi,
            )


def named(word: str, known: Collection[str], what: str) -> str:
    """``word`` if it is known. UsageError, with the nearest that is, if not."""
    if word in known:
        return word
    near = difflib.get_close_matches(word, known, 1)
    hint = f"did you mean {near[0]}?" if near else "see docs/data_dictionary.md"
    raise UsageError(f"{what} {word!r} is not known: {hint}")


def _of(table: Table, element: Element, lists: str, around: str) -> Iterator[Origin]:
    same = element.kind is Kind.PLAIN and not element.quantity
    reads = {read.name: read.paths[0] for read in element.reads if read.paths}
    for column in element.columns:
        path = _joined(around, reads.get(column.name) or column.path or element.path)
        yield _origin(table, column, f"{lists}{column.name}", path, AS_SENT if same else DERIVED)
    if element.kind is Kind.ITEMS:
        for child in element.children:
            yield from _of(table, child, f"{lists}{element.columns[0].name}.", _joined(around, element.path))


def _joined(around: str, path: str) -> str:
    if path == _ITEM or path.startswith(f"{_ITEM}."):
        path = path.removeprefix(_ITEM).removeprefix(".")
    return ".".join(part for part in (around, path) if part)


def _origin(table: Table, column: Column, name: str, path: str, done: str) -> Origin:
    return Origin(table.name, name, column.dtype, column.description, table.resource_type, path, done, column.phi)
