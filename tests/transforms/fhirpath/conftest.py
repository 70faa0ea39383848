"""What the tests of compiled paths share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.transforms.fhirpath.resources import PATIENT, Run
from transforms.fhirpath import Scope, compile_path, constant
from transforms.fhirpath.compile import Compiled


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Evaluate a path on one resource, as the loader does: typed NDJSON, one SELECT."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")

    def evaluate(
        path: str | Callable[[Scope], Compiled], resource: dict[str, Any] = PATIENT, **constants: object
    ) -> object:
        values = {name: constant(*value) for name, value in constants.items()}  # type: ignore[misc] # tuples
        scope = Scope.root(resource["resourceType"], values)
        compiled = compile_path(path, scope) if isinstance(path, str) else path(scope)
        columns = scope.shape.columns() or {"id": "VARCHAR"}
        file = tmp_path / "in.ndjson"
        file.write_text(json.dumps(resource) + "\n")
        row = connection.execute(
            f"SELECT {compiled.sql} FROM read_ndjson(?, columns=?)", [str(file), columns]
        ).fetchone()
        assert row is not None
        return row[0]

    return evaluate
