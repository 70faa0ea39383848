"""Every primitive of every official R4 example comes out of the compiled path that leads to it, unchanged."""

from __future__ import annotations

import gzip
import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import duckdb
import pytest

from schemas import fhir_types
from transforms.fhirpath import Compiled, Scope, compile_path

pytestmark = pytest.mark.conformance

SHARED = Path(os.environ.get("CLINMART_SHARED", Path(__file__).parents[3] / "shared"))
FILES = sorted((SHARED / "data" / "fhir-r4" / "examples").glob("*.ndjson.gz"))
DEPTH = 5
Values = dict[tuple[str, ...], list[Any]]


def test_the_examples_are_there() -> None:
    """Without the official examples nothing is shown; say so."""
    if not FILES:
        pytest.skip(f"no R4 examples in {SHARED}; set CLINMART_SHARED")
    assert len(FILES) >= 120


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.name).split(".")[0])
def test_every_value_of_the_examples_is_read(file: Path, tmp_path: Path) -> None:
    """All paths of a type in one read: the types of the columns hold for all examples."""
    type_name = file.name.split(".")[0]
    lines = [line for line in gzip.decompress(file.read_bytes()).splitlines() if line.strip()]
    expected = [_values(json.loads(line), type_name) for line in lines]
    scope = Scope.root(type_name)
    paths = {keys: _compiled(keys, scope) for keys in dict.fromkeys(k for row in expected for k in row)}
    source = tmp_path / "examples.ndjson"
    source.write_bytes(b"\n".join(lines) + b"\n")
    read = "read_ndjson($file, columns=$columns, maximum_object_size=67108864)"
    wanted = {"file": str(source), "columns": scope.shape.columns()}
    fields = ", ".join(path.sql for path in paths.values())
    found = duckdb.execute(f"SELECT {fields} FROM {read}", wanted).fetchall()
    assert len(found) == len(lines)
    for row, values in zip(expected, found, strict=True):
        for (keys, path), value in zip(paths.items(), values, strict=True):
            own = value if path.many else [value]
            assert [v for v in own or () if v is not None] == row.get(keys, []), path.path


def _compiled(keys: tuple[str, ...], scope: Scope) -> Compiled:
    # `contains` and the like are operators elsewhere, so every name is quoted.
    return compile_path(".".join(f"`{key}`" for key in keys), scope)


def _values(resource: dict[str, Any], type_name: str) -> Values:
    """The primitives of a resource by the keys that lead to them, in order; not those of resources within it."""
    found: Values = defaultdict(list)
    todo: list[tuple[tuple[str, ...], Any, str]] = [((), resource, type_name)]
    while todo:
        keys, value, kind = todo.pop(0)
        for key, element in fhir_types.elements(kind).items():
            items = value.get(key)
            for item in items if isinstance(items, list) else [items]:
                here = (*keys, key)
                if item is None or element.type == "Resource" or len(here) > DEPTH:
                    continue
                if fhir_types.is_primitive(element.type):
                    found[here].append(item)
                else:
                    todo.append((here, item, element.type))
    return found
