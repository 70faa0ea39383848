"""Compiled views give the rows of the specification's own algorithm, for random views over random resources.

The algorithm is `Process a Resource` of SQL on FHIR v2, written down as it stands there, over the plain interpreter of
paths.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from schemas import fhir_types
from schemas.view_definition import parse_view
from tests.transforms.fhirpath.naive import Around, Node, Nodes, SeveralItems, walk
from tests.transforms.fhirpath.worlds import ROOTS, World, kind
from transforms.fhirpath.grammar import parse
from transforms.views import compile_view

Row = dict[str, Any]
CONSTANT = [
    {"name": "one", "valueInteger": 1},
    {"name": "text", "valueString": "a"},
    {"name": "number", "valueDecimal": 1.5},
]
CONSTANTS = {"one": Node(1, "integer"), "text": Node("a", "string"), "number": Node(1.5, "decimal")}


class ViewWorld(World):
    """Draws views."""

    def view(self, root: str) -> dict[str, Any]:
        """A view with nested selections, iterations, unions and conditions."""
        self.names = itertools.count()
        selects = [self.select(root, 2) for _ in range(self.random.randint(1, 3))]
        where = [{"path": self.condition(root, 1)} for _ in range(self.random.randint(0, 1))]
        return {"resource": root, "constant": CONSTANT, "select": selects, "where": where}

    def select(self, here: str, depth: int) -> dict[str, Any]:
        select: dict[str, Any] = {}
        if here == "QuestionnaireResponse" and self.random.randrange(3) == 0:
            select["repeat"] = self.random.choice((["item"], ["item", "answer.item"]))
            here = "QuestionnaireResponse.item"
        elif self.random.randrange(3):
            text, here, _ = self.steps(here, 1)
            select[self.random.choice(("forEach", "forEachOrNull"))] = text
        select["column"] = [self.column(here) for _ in range(self.random.randint(1, 3))]
        if depth > 0 and kind(here) == "complex":
            if self.random.randrange(2):
                select["select"] = [self.select(here, depth - 1) for _ in range(self.random.randint(1, 2))]
            if self.random.randrange(3) == 0:
                names = [f"c{next(self.names)}" for _ in range(2)]
                select["unionAll"] = [self.branch(here, names) for _ in range(self.random.randint(1, 3))]
        return select

    def branch(self, here: str, names: list[str]) -> dict[str, Any]:
        """A branch of a union: its columns are integers, whatever they count."""
        branch: dict[str, Any] = {}
        if self.random.randrange(2):
            text, here, _ = self.steps(here, 0)
            branch[self.random.choice(("forEach", "forEachOrNull"))] = text
        path = "$this.count()" if kind(here) != "complex" else f"{self.steps(here, 0)[0]}.count()"
        branch["column"] = [{"name": names[0], "path": path}]
        nested = [{"column": [{"name": names[1], "path": "%rowIndex"}]}]
        return branch | {"select": nested} if self.random.randrange(2) else {"select": [branch, *nested]}

    def column(self, here: str) -> dict[str, Any]:
        name = f"c{next(self.names)}"
        if self.random.randrange(5) == 0:
            return {"name": name, "path": "%rowIndex", "type": "integer"}
        if kind(here) != "complex":
            return {"name": name, "path": "$this"}
        text, found, many = self.steps(here, 1)
        if kind(found) == "complex":
            return {"name": name, "path": f"{text}.exists()"}
        if not many:
            return {"name": name, "path": text}
        if self.random.randrange(2):
            return {"name": name, "path": f"{text}.first()"}
        return {"name": name, "path": text, "collection": True}


def rows_of(view: dict[str, Any], resource: dict[str, Any]) -> list[Row]:
    """`Process a Resource`."""
    root = Node(resource, resource["resourceType"])
    for where in view["where"]:
        if [node.value for node in _path(where["path"], root, root, 0)] != [True]:
            return []
    return list(_process({"select": view["select"]}, root, root, 0))


def _process(select: dict[str, Any], node: Node, root: Node, index: int) -> Iterator[Row]:
    """`Process(S, N)`."""
    iterates = {"forEach", "forEachOrNull", "repeat"} & set(select)
    if "repeat" in select:
        foci = list(_traverse(select["repeat"], node, root, index))
    elif iterates:
        foci = _path(select[iterates.copy().pop()], node, root, index)
    else:
        foci = [node]
    for i, focus in enumerate(foci):
        own = i if iterates else index
        parts = [[{column["name"]: _value(column, focus, root, own)}] for column in select.get("column", ())]
        parts += [list(_process(nested, focus, root, own)) for nested in select.get("select", ())]
        if "unionAll" in select:
            parts.append([row for branch in select["unionAll"] for row in _process(branch, focus, root, own)])
        for combination in itertools.product(*parts):
            yield {name: value for part in combination for name, value in part.items()}
    if not foci and "forEachOrNull" in select:
        yield {column["name"]: 0 if column["path"] == "%rowIndex" else None for column in _columns(select)}


def _traverse(paths: list[str], node: Node, root: Node, index: int) -> Iterator[Node]:
    for path in paths:
        for child in _path(path, node, root, index):
            yield child
            yield from _traverse(paths, child, root, index)


def _columns(select: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from select.get("column", ())
    for nested in [*select.get("select", ()), *select.get("unionAll", ())[:1]]:
        yield from _columns(nested)


def _path(path: str, node: Node, root: Node, index: int) -> Nodes:
    constants = {**CONSTANTS, "rowIndex": Node(index, "integer")}
    return walk(parse(path), Around(node, root, constants=constants))


def _value(column: dict[str, Any], node: Node, root: Node, index: int) -> Any:
    values = [found.value for found in _path(column["path"], node, root, index)]
    if column.get("collection"):
        return values
    if len(values) > 1:
        raise SeveralItems
    return values[0] if values else None


@pytest.mark.parametrize("seed", range(40))
def test_compiled_view_agrees_with_the_algorithm(seed: int, tmp_path: Path) -> None:
    """Same rows, in any order, with the columns in the order of the definition."""
    world = ViewWorld(seed)
    root = ROOTS[seed % len(ROOTS)]
    resources = [world.resource(root) for _ in range(8)]
    file = tmp_path / "resources.ndjson"
    file.write_text("".join(f"{json.dumps(resource)}\n" for resource in resources))
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'; SET threads = 1")
    for _ in range(5):
        view = world.view(root)
        try:
            expected = [row for resource in resources for row in rows_of(view, resource)]
        except SeveralItems:
            continue
        compiled = compile_view(parse_view(json.dumps(view)))
        columns = compiled.shape.columns() or {"id": "VARCHAR"}
        query = compiled.sql("read_ndjson($file, columns=$columns)")
        found = connection.execute(query, {"file": str(file), "columns": columns})
        names = [column[0] for column in found.description or ()]
        assert names == [column["name"] for column in _columns(view)]
        rows = [_plain(dict(zip(names, row, strict=True)), compiled.columns) for row in found.fetchall()]
        assert _sorted(rows) == _sorted(expected), (view, query)


def _plain(row: Row, columns: tuple[Any, ...]) -> Row:
    """Decimals as numbers, as the resource has them."""
    decimals = {column.name for column in columns if column.fhir_type == "decimal"}
    assert all(fhir_types.is_primitive(column.fhir_type) for column in columns)
    return {name: _number(value) if name in decimals else value for name, value in row.items()}


def _number(text: Any) -> Any:
    return [_number(item) for item in text] if isinstance(text, list) else text if text is None else float(text)


def _sorted(rows: list[Row]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in rows)
