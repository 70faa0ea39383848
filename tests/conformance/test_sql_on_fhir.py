"""The official SQL on FHIR v2 cases: every view gives the rows that the suite expects, or the error."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from schemas.errors import UsageError
from schemas.view_definition import parse_view
from transforms.views import CompiledView, compile_view

pytestmark = pytest.mark.conformance

SHARED = Path(os.environ.get("CLINMART_SHARED", Path(__file__).parents[3] / "shared"))
SUITE = SHARED / "data" / "sql-on-fhir"


def _cases() -> Iterator[Any]:
    for file in sorted(SUITE.glob("*.json")):
        suite = json.loads(file.read_text())
        for case in suite["tests"]:
            yield pytest.param(suite["resources"], case, id=f"{file.stem}: {case['title']}")


CASES = list(_cases())


def test_the_suite_is_there() -> None:
    """Without the official cases nothing is shown; say so."""
    if not CASES:
        pytest.skip(f"no SQL on FHIR cases in {SUITE}; set CLINMART_SHARED")
    assert len(CASES) >= 82


@pytest.mark.parametrize(("resources", "case"), CASES)
def test_official_case(resources: list[dict[str, Any]], case: dict[str, Any], tmp_path: Path) -> None:
    """One case of the suite; the order of rows does not count."""
    if case.get("expectError"):
        with pytest.raises((UsageError, duckdb.InvalidInputException)):
            _rows(case["view"], resources, tmp_path)
        return
    rows = _rows(case["view"], resources, tmp_path)
    if "expectCount" in case:
        assert len(rows) == case["expectCount"]
    if "expect" in case:
        assert _unordered(rows) == _unordered(case["expect"])
    if "expectColumns" in case:
        view = compile_view(parse_view(case["view"]))
        assert [column.name for column in view.columns] == case["expectColumns"]


def _unordered(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


def _rows(view: dict[str, Any], resources: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Run a view as the loader does: lines of its type, decimals with their digits beside them."""
    compiled = compile_view(parse_view(json.dumps(view)))
    file = folder / "resources.ndjson"
    lines = (json.dumps(r) for r in resources if r["resourceType"] == compiled.resource)
    file.write_text("".join(f"{_with_digits(line, compiled)}\n" for line in lines))
    columns = compiled.shape.columns() or {"id": "VARCHAR"}
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    found = connection.execute(
        compiled.sql("read_ndjson($file, columns=$columns)"), {"file": str(file), "columns": columns}
    )
    return [
        {
            column.name: json.loads(value) if column.fhir_type == "decimal" and value is not None else value
            for column, value in zip(compiled.columns, row, strict=True)
        }
        for row in found.fetchall()
    ]


def _with_digits(line: str, view: CompiledView) -> str:
    for name in view.shape.literals():
        line = re.sub(rf'"{name}": (-?[0-9][-+.0-9eE]*)', rf'"{name}": \1, "#{name}": "\1"', line)
    return line
