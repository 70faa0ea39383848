"""What the generator's tests share: an export made once, and the official FHIR R4 JSON schema as a check."""

from __future__ import annotations

import gzip
import json
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from sources.synth import SynthPlan, SynthReport, write_synth

_ROOT = Path(__file__).resolve().parents[3]

_PYTHON: dict[Any, tuple[type, ...]] = {"number": (int, float), "boolean": (bool,), "string": (str,)}

Resource = dict[str, Any]


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SynthReport]:
    """An export of 90 patients without faults, and the report on it."""
    folder = tmp_path_factory.mktemp("clean") / "export"
    return folder, write_synth(SynthPlan(patients=90, seed=3), folder)


@pytest.fixture(scope="session")
def resources(clean: tuple[Path, SynthReport]) -> dict[str, list[Resource]]:
    """Its resources by type, in the order of the files."""
    found: dict[str, list[Resource]] = {}
    for path in sorted(clean[0].glob("*.ndjson")):
        lines = path.read_bytes().splitlines()
        found.setdefault(path.name.split(".")[0], []).extend(json.loads(line) for line in lines)
    return found


@pytest.fixture(scope="session")
def r4_schema() -> R4Schema:
    """The official schema of FHIR R4, from the data sets beside the project."""
    shared = Path(os.environ.get("CLINMART_SHARED", _ROOT.parent / "shared"))
    path = shared / "data" / "fhir-r4" / "fhir.schema.json.gz"
    if not path.exists():
        pytest.skip(f"the official FHIR R4 schema is not there: {path}")
    return R4Schema(path)


class R4Schema:
    """Checks resources against ``fhir.schema.json`` of FHIR R4 (4.0.1), as far as clinmart needs it."""

    def __init__(self, path: Path) -> None:
        """Read the schema, gzipped, from ``path``."""
        self._definitions = json.loads(gzip.decompress(path.read_bytes()))["definitions"]

    def faults(self, resource: Resource) -> list[str]:
        """What is wrong with a resource, each fault with its JSON path; empty when it is valid."""
        kind = str(resource["resourceType"])
        return list(self._check(resource, self._definitions[kind], kind))

    def _check(self, value: Any, schema: Resource, path: str) -> Iterator[str]:
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[1]
            if name == "ResourceList":
                yield from self.faults(value)
                return
            schema = self._definitions[name]
        if "enum" in schema and value not in schema["enum"]:
            yield f"{path}: {value} is not in the value set"
        if "const" in schema and value != schema["const"]:
            yield f"{path}: not {schema['const']}"
        if "pattern" in schema and not _matches(schema["pattern"], value):
            yield f"{path}: {value} breaks the pattern"
        kind = schema.get("type")
        if kind == "array" or "items" in schema:
            if not isinstance(value, list) or not value:
                yield f"{path}: no list"
            else:
                for place, item in enumerate(value):
                    yield from self._check(item, schema["items"], f"{path}[{place}]")
        elif "properties" in schema:
            yield from self._object(value, schema, path)
        elif kind in _PYTHON and type(value) not in _PYTHON[kind]:
            yield f"{path}: no {kind}"

    def _object(self, value: object, schema: Resource, path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{path}: no object"
            return
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{path}: no {name}"
        for name, item in value.items():
            if name in schema["properties"]:
                yield from self._check(item, schema["properties"][name], f"{path}.{name}")
            else:
                yield f"{path}: unknown element {name}"


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def _matches(pattern: str, value: object) -> bool:
    text = value if isinstance(value, str) else json.dumps(value)
    return _pattern(pattern).search(text) is not None
