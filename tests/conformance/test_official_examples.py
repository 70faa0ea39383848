"""HL7's own examples of FHIR R4: each is in its table or in `resource`, or refused for a reason that holds up."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flows.runner import run_load
from flows.settings import LoadSettings
from schemas.records import LoadReport
from schemas.tables import tables_by_type
from sources.files import FileSource

pytestmark = pytest.mark.conformance

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("CLINMART_SHARED", ROOT.parent / "shared"))
EXAMPLES = SHARED / "data" / "fhir-r4" / "examples"
REFUSED = ROOT / "docs" / "official_examples.md"
EXAMPLE_COUNT = 1_921
RESOURCE_COUNT = 3_998  # with the entries of the Bundles among them
MOST_REFUSED = 0.01

Example = dict[str, Any]
Refusal = tuple[str, int, str]  # type, line, reason


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, LoadReport]:
    """The mart of all examples, and the report of its load."""
    if not EXAMPLES.is_dir():
        pytest.skip(f"no official examples at {EXAMPLES}; set CLINMART_SHARED")
    mart = tmp_path_factory.mktemp("examples") / "mart.duckdb"
    return mart, run_load(FileSource([str(EXAMPLES)]), LoadSettings(mart=mart, source="hl7"))


@pytest.fixture(scope="module")
def refused(loaded: tuple[Path, LoadReport]) -> set[Refusal]:
    """What the load refused."""
    with duckdb.connect(str(loaded[0]), read_only=True) as connection:
        rows = connection.execute("SELECT resource_type, line, reason FROM etl.quarantine").fetchall()
    return set(rows)


def documented() -> set[Refusal]:
    """The rows of the table in the documentation."""
    rows = [line.split("|") for line in REFUSED.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    cells = [[cell.strip().strip("`") for cell in row] for row in rows[1:]]
    return {(cell[1], int(cell[2]), cell[3]) for cell in cells}


def test_refused_are_those_documented(refused: set[Refusal]) -> None:
    """The documentation names each refused example with its reason, and no other."""
    assert refused == documented()
    assert len(refused) <= MOST_REFUSED * EXAMPLE_COUNT


def test_everything_is_accounted_for(loaded: tuple[Path, LoadReport], refused: set[Refusal]) -> None:
    """Every example, and every entry of a Bundle, is read once and has one fate."""
    counts = loaded[1].resources.values()
    assert sum(1 for _ in examples()) == EXAMPLE_COUNT
    assert sum(1 for _, _, example in examples() for _ in opened(example)) == RESOURCE_COUNT
    assert sum(c.read for c in counts) == RESOURCE_COUNT
    assert sum(c.applied + c.superseded + c.duplicate for c in counts) == RESOURCE_COUNT - len(refused)
    assert sum(c.quarantined for c in counts) == len(refused)


def test_every_example_is_in_its_table(loaded: tuple[Path, LoadReport], refused: set[Refusal]) -> None:
    """The ids of a table, or of a type in `resource`, are those of the type's examples, each once."""
    sent: dict[str, set[str]] = {}
    for kind, line, example in examples():
        if not any((kind, line) == r[:2] for r in refused):
            for ident, resource in opened(example):
                sent.setdefault(resource["resourceType"], set()).add(ident)
    with duckdb.connect(str(loaded[0]), read_only=True) as connection:
        for kind, ids in sent.items():
            table = tables_by_type().get(kind)
            query = f"SELECT id FROM {table.name}" if table else f"SELECT id FROM resource WHERE type = '{kind}'"
            found = [str(ident) for (ident,) in connection.execute(query).fetchall()]
            assert sorted(found) == sorted(ids), kind


def test_types_without_a_table_are_kept_whole(loaded: tuple[Path, LoadReport]) -> None:
    """The JSON in `resource` is one that was sent under that id, element by element.

    References of a Bundle's entries to each other may be written as `urn:uuid:X` or `Type/X`.
    """
    sent: dict[tuple[str, str], list[Example]] = {}
    for _, _, example in examples():
        for ident, resource in opened(example):
            sent.setdefault((resource["resourceType"], ident), []).append(pointed(resource))
    with duckdb.connect(str(loaded[0]), read_only=True) as connection:
        rows = connection.execute("SELECT type, id, json FROM resource").fetchall()
    assert len({kind for kind, _, _ in rows}) > 90
    assert [(kind, ident) for kind, ident, text in rows if pointed(json.loads(text)) not in sent[kind, ident]] == []


def examples() -> Iterator[tuple[str, int, Example]]:
    """All examples with the type in their file's name and their line."""
    for file in sorted(EXAMPLES.glob("*.ndjson.gz")):
        for number, line in enumerate(gzip.decompress(file.read_bytes()).splitlines(), 1):
            yield file.name.split(".")[0], number, json.loads(line)


def opened(example: Example, full_url: str = "") -> Iterator[tuple[str, Example]]:
    """A resource with its id, which its entry's `fullUrl` tells where it has none; a Bundle is its entries and, without
    them, itself.
    """
    if example["resourceType"] == "Bundle":
        for entry in example.get("entry", []):
            if "resource" in entry:
                yield from opened(entry["resource"], entry.get("fullUrl", ""))
        example = {name: value for name, value in example.items() if name != "entry"}
    ident = example.get("id") or full_url.removeprefix("urn:uuid:").rsplit("/", 1)[-1]
    yield ident, {**example, "id": ident}


def pointed(value: Any) -> Any:
    """The same JSON with the ids alone of what its references point to."""
    if isinstance(value, list):
        return [pointed(item) for item in value]
    if not isinstance(value, dict):
        return value
    made = {name: pointed(item) for name, item in value.items()}
    if isinstance(made.get("reference"), str):
        made["reference"] = made["reference"].removeprefix("urn:uuid:").rsplit("/", 1)[-1]
    return made
