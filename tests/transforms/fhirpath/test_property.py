"""Compiled SQL gives what a plain interpreter gives, for random paths over random resources."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.transforms.fhirpath.naive import Node, SeveralItems, evaluate
from tests.transforms.fhirpath.worlds import ROOTS, World
from transforms.fhirpath import Scope, compile_json, compile_path, constant

CONSTANTS: dict[str, tuple[str, str | float]] = {
    "one": ("integer", 1),
    "text": ("string", "a"),
    "number": ("decimal", 1.5),
}
WHOLE = {"Patient": ("extension", "name", "contact"), "Observation": ("component", "code")}


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """One database for all examples."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; SET threads = 1")
        yield connection


@pytest.mark.parametrize("seed", range(24))
def test_compiled_sql_agrees_with_an_interpreter(
    seed: int, connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """Many paths share one read, and in every other world some elements are also asked for whole."""
    world = World(seed)
    root = ROOTS[seed % len(ROOTS)]
    rows = [world.resource(root) for _ in range(12)]
    file = tmp_path / "resources.ndjson"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    scope = Scope.root(root, {name: constant(*value) for name, value in CONSTANTS.items()})
    compiled = [compile_path(world.path(root), scope) for _ in range(40)]
    for name in WHOLE.get(root, ("item",)) if seed % 2 else ():
        compile_json(name, scope)
    nodes = {name: Node(value, type_name) for name, (type_name, value) in CONSTANTS.items()}
    for path in compiled:
        try:
            expected = [evaluate(path.path, row, nodes) for row in rows]
        except SeveralItems:
            continue  # SQL may, or may not, work out the part that is in error
        found = _select(connection, path.sql, file, scope.shape.columns())
        for items, value in zip(expected, found, strict=True):
            own = value if path.many else [value]
            assert _same(items, [item for item in own or [] if item is not None]), (path.path, items, value)


def test_worlds_are_worth_it() -> None:
    """Most random paths find something in some resource, few are in error: else the test above shows little."""
    told: Counter[str] = Counter()
    for seed in range(24):
        world = World(seed)
        root = ROOTS[seed % len(ROOTS)]
        rows = [world.resource(root) for _ in range(12)]
        for path in (world.path(root) for _ in range(40)):
            nodes = {name: Node(value, type_name) for name, (type_name, value) in CONSTANTS.items()}
            try:
                values = {json.dumps(evaluate(path, row, nodes)) for row in rows}
            except SeveralItems:
                told["in error"] += 1
            else:
                told["one answer" if len(values) == 1 else "several answers"] += 1
    assert told["several answers"] > 500, told
    assert told["in error"] < 300, told


def _select(connection: duckdb.DuckDBPyConnection, sql: str, file: Path, columns: dict[str, str]) -> list[Any]:
    read = "read_ndjson(?, columns=?)"
    found = connection.execute(f"SELECT {sql} FROM {read}", [str(file), columns or {"id": "VARCHAR"}])
    return [row[0] for row in found.fetchall()]


def _same(expected: list[Any], found: list[Any]) -> bool:
    if len(expected) != len(found):
        return False
    return all(
        math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-12) if isinstance(a, float) else a == b
        for a, b in zip(expected, found, strict=True)
    )
