"""What a ViewDefinition asks of a resource: its selections with every path compiled, not yet rendered.

Rendering waits until all paths are known, because what one asks may change how the others have to read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import TypeVar

import msgspec

from schemas.errors import UsageError
from schemas.view_definition import ColumnDefinition, Select, ViewDefinition, ViewError
from transforms.fhirpath import (
    Compiled,
    PathError,
    Scope,
    compile_condition,
    compile_digits,
    compile_items,
    compile_path,
    constant,
)
from transforms.fhirpath.tree import kind
from transforms.views.types import column_type

_ROW_INDEX = re.compile(r"\s*%(rowIndex|`rowIndex`)\s*")
_T = TypeVar("_T")


class OutputColumn(msgspec.Struct, frozen=True, eq=False):
    """A column with its compiled path; ``key`` is its name inside the query."""

    name: str
    key: str
    fhir_type: str
    collection: bool
    value_type: str  # the DuckDB type of one value
    hinted: bool  # the type is asked for by a tag, so that values may not fit it
    counts_rows: bool  # the path is %rowIndex
    compiled: Compiled

    @property
    def duckdb_type(self) -> str:
        """The DuckDB type of the column."""
        return f"{self.value_type}[]" if self.collection else self.value_type


class Walk(msgspec.Struct, frozen=True, eq=False):
    """``repeat``: the paths from the start, and those from every node found; nodes are JSON texts."""

    starts: tuple[Compiled | None, ...]  # None: the start has no such element
    steps: tuple[Compiled | None, ...]
    variable: str  # of the steps: a struct with the JSON text of the node and its place
    item: Scope  # of a node found, once it is read


class Foci(msgspec.Struct, frozen=True, eq=False):
    """The nodes for which a block makes rows: ``variable`` is one of them, ``index`` its number from 1."""

    variable: str
    index: str
    nodes: Compiled | Walk
    or_null: bool = False


class Block(msgspec.Struct, frozen=True, eq=False):
    """A selection; ``foci`` None: for the node of the selection around it."""

    foci: Foci | None
    columns: tuple[OutputColumn, ...]
    selects: tuple[Block, ...]
    union: tuple[Block, ...]

    def all_columns(self) -> Iterator[OutputColumn]:
        """Own columns, those of nested selections, then those of the first branch of the union."""
        yield from self.columns
        for nested in self.selects:
            yield from nested.all_columns()
        if self.union:
            yield from self.union[0].all_columns()


class Plan(msgspec.Struct, frozen=True, eq=False):
    """A view: its scope, its selections as one block, and its conditions."""

    scope: Scope
    block: Block
    conditions: tuple[Compiled, ...]


def plan_view(view: ViewDefinition) -> Plan:
    """Compile every path of a view. Raises ViewError, naming the part of the view, for what does not fit."""
    scope = Scope.root(view.resource, {item.name: constant(item.type_name, item.value) for item in view.constant})
    planner = _Planner({name: f"c{i}" for i, name in enumerate(view.column_names())})
    selects = tuple(planner.block(select, scope, f"select[{i}]") for i, select in enumerate(view.select))
    conditions = tuple(
        _at(f"where[{i}]", partial(compile_condition, where.path, scope, strict=True))
        for i, where in enumerate(view.where)
    )
    return Plan(scope, Block(None, (), selects, ()), conditions)


class _Planner:
    """Plans blocks and numbers the variables of one view."""

    def __init__(self, keys: dict[str, str]) -> None:
        self.keys = keys
        self.numbers = count(1)

    def block(self, select: Select, scope: Scope, where: str) -> Block:
        foci, inner = self.foci(select, scope, where)
        columns = tuple(
            self.column(column, inner, f"{where}.column[{i}] {column.name!r}") for i, column in enumerate(select.column)
        )
        selects = tuple(self.block(nested, inner, f"{where}.select[{i}]") for i, nested in enumerate(select.select))
        union = tuple(self.block(branch, inner, f"{where}.unionAll[{i}]") for i, branch in enumerate(select.union_all))
        for i, branch in enumerate(union[1:], 1):
            _check_branch(union[0], branch, f"{where}.unionAll[{i}]")
        return Block(foci, columns, selects, union)

    def foci(self, select: Select, scope: Scope, where: str) -> tuple[Foci | None, Scope]:
        number = next(self.numbers)
        variable, index, row_index = f"x{number}", f"n{number}", f"(n{number} - 1)"
        if select.repeat:
            walk = _walk(select.repeat, scope, (f"v{number}.node", variable, row_index), f"{where}.repeat")
            return Foci(variable, index, walk), walk.item
        path = select.for_each if select.for_each is not None else select.for_each_or_null
        if path is None or (path.strip() == "$this" and scope.focus is scope.resource):
            return None, scope
        keyword = "forEach" if select.for_each is not None else "forEachOrNull"
        nodes = _at(f"{where}.{keyword}", lambda: compile_path(path, scope))
        return Foci(variable, index, nodes, select.for_each is None), scope.within(nodes, variable, row_index)

    def column(self, column: ColumnDefinition, scope: Scope, where: str) -> OutputColumn:
        compiled = _at(where, lambda: compile_digits(column.path, scope, one=not column.collection))
        is_complex = kind(compiled.type) == "complex"
        if is_complex and column.fhir_type is None:
            what = f"the path gives {compiled.type}: declare it as the type, or name an element of it"
            raise ViewError(f"{where}: {what}")
        fhir_type, value_type = _at(where, lambda: column_type(compiled.type, column.fhir_type, column.sql_type))
        if is_complex:
            compiled = _at(where, lambda: compile_items(column.path, scope, one=not column.collection))
        return OutputColumn(
            name=column.name,
            key=self.keys[column.name],
            fhir_type=fhir_type,
            collection=column.collection,
            value_type=value_type,
            hinted=column.sql_type is not None,
            counts_rows=_ROW_INDEX.fullmatch(column.path) is not None,
            compiled=compiled,
        )


def _walk(paths: tuple[str, ...], scope: Scope, names: tuple[str, str, str], where: str) -> Walk:
    """Compile the paths of ``repeat`` from the start and from the nodes they lead to, which are of one type.

    A path need not fit the start (``answer.item`` of a QuestionnaireResponse), but must fit somewhere.
    """
    node, variable, row_index = names
    starts = tuple(_items_if_any(path, scope) for path in paths)
    first = next((start for start in starts if start is not None), None)
    if first is None:
        _at(where, lambda: compile_items(paths[0], scope))
        raise ViewError(f"{where}: no path leads anywhere")
    inner = scope.detached(first.type, node, text=True)
    steps = tuple(_items_if_any(path, inner) for path in paths)
    for path, start, step in zip(paths, starts, steps, strict=True):
        if start is None and step is None:
            _at(where, partial(compile_items, path, inner))
        for found in (start, step):
            if found is not None and found.type != first.type:
                raise ViewError(f"{where}: {path!r} leads to {found.type}, other paths to {first.type}")
            if found is not None and found.node.shape is inner.shape:
                raise ViewError(f"{where}: {path!r} leads to where it starts")
    return Walk(starts, steps, node.removesuffix(".node"), scope.detached(first.type, variable, row_index=row_index))


def _items_if_any(path: str, scope: Scope) -> Compiled | None:
    """The nodes of a path, None when the type has no such element."""
    try:
        return compile_items(path, scope)
    except PathError:
        return None


def _check_branch(first: Block, branch: Block, where: str) -> None:
    """The branches of a union have the same names (checked before) and types."""
    for one, other in zip(first.all_columns(), branch.all_columns(), strict=True):
        if one.duckdb_type != other.duckdb_type:
            raise ViewError(
                f"{where}: column {other.name!r} is {other.fhir_type}{'[]' * other.collection},"
                f" in the first branch {one.fhir_type}{'[]' * one.collection}"
            )


def _at(where: str, make: Callable[[], _T]) -> _T:
    """``make()``, with the place in the view put before what is wrong with it."""
    try:
        return make()
    except UsageError as error:
        raise ViewError(f"{where}: {error}") from None
