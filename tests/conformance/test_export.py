"""A whole `$export` of 100 patients against a plain reading of its JSON, written without any of the project's code.

Every table must hold every resource, and for a seeded sample of each the columns must say what the JSON says: ids,
codes of the preferred system, times, references, numbers with their digits, lengths of lists.
"""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from flows.runner import run_load
from flows.settings import LoadSettings
from schemas.records import LoadReport
from sources.files import FileSource
from tests.conformance.plain_reading import READINGS, Digits, Resource, expected

pytestmark = pytest.mark.conformance

SHARED = Path(os.environ.get("CLINMART_SHARED", Path(__file__).parents[2].parent / "shared"))
EXPORT = SHARED / "data" / "fhir-export"
RESOURCES = 38_483
SAMPLE = 200


def table_of(resource_type: str) -> str:
    """Snake case, and `fhir_group`."""
    snake = "".join("_" + c.lower() if c.isupper() else c for c in resource_type).lstrip("_")
    return "fhir_group" if snake == "group" else snake


def resources(resource_type: str) -> Iterator[Resource]:
    """All resources of a type in the export, numbers as digits."""
    for file in sorted(EXPORT.glob(f"{resource_type}.[0-9]*.ndjson.gz")):
        for line in gzip.decompress(file.read_bytes()).splitlines():
            yield json.loads(line, parse_float=Digits, parse_int=Digits)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, LoadReport]:
    """The mart of the whole export, and the report of its load."""
    if not EXPORT.is_dir():
        pytest.skip(f"no export at {EXPORT}; set CLINMART_SHARED")
    mart = tmp_path_factory.mktemp("export") / "mart.duckdb"
    return mart, run_load(FileSource([str(EXPORT)]), LoadSettings(mart=mart, source="export"))


def test_everything_is_applied(loaded: tuple[Path, LoadReport]) -> None:
    """All resources of all 19 types are read and applied; none is refused, superseded or a duplicate."""
    _, report = loaded
    assert report.status == "ok"
    assert set(report.resources) == set(READINGS)
    assert sum(c.read for c in report.resources.values()) == RESOURCES
    assert sum(c.applied for c in report.resources.values()) == RESOURCES


@pytest.mark.parametrize("resource_type", sorted(READINGS))
def test_rows_say_what_the_json_says(resource_type: str, loaded: tuple[Path, LoadReport]) -> None:
    """A table has one row for each resource, and those of a seeded sample hold what a plain reading finds."""
    every = list(resources(resource_type))
    chosen = random.Random(20_260_714).sample(every, min(SAMPLE, len(every)))
    with duckdb.connect(str(loaded[0]), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        assert connection.execute(f"SELECT count(*), count(DISTINCT id) FROM {table_of(resource_type)}").fetchone() == (
            len(every),
            len({r["id"] for r in every}),
        )
        wanted = [expected(r) for r in chosen]
        assert len(wanted[0]) >= 8
        columns = ", ".join(f'"{name}"' for name in wanted[0])
        connection.execute("CREATE TEMP TABLE chosen AS SELECT unnest(?) AS id", [[r["id"] for r in chosen]])
        found = connection.execute(f"SELECT {columns} FROM {table_of(resource_type)} WHERE id IN (FROM chosen)")
        rows = {row[0]: dict(zip(wanted[0], row, strict=True)) for row in found.fetchall()}
    for want in wanted:
        row = {name: seen(value, want[name]) for name, value in rows[str(want["id"])].items()}
        assert row == want


def seen(value: object, want: object) -> object:
    """A list of codings as its codes, a list that is counted as its length, the rest as it is."""
    if isinstance(value, list) and isinstance(want, int):
        return len(value)
    if isinstance(value, list) and value and isinstance(value[0], dict) and isinstance(want, list):
        return [c["code"] for c in value]
    return value


@pytest.mark.parametrize(
    ("resource_type", "element", "view"),
    [
        ("Claim", "item", "claim_item"),
        ("Claim", "diagnosis", "claim_diagnosis"),
        ("Encounter", "participant", "encounter_participant"),
        ("Observation", "component", "observation_component"),
        ("Patient", "identifier", "patient_identifier"),
    ],
)
def test_children_have_a_row_per_item(
    resource_type: str, element: str, view: str, loaded: tuple[Path, LoadReport]
) -> None:
    """A child view has as many rows as the JSON has items, numbered from 1 within each resource."""
    items = {r["id"]: len(r[element]) for r in resources(resource_type) if r.get(element)}
    with duckdb.connect(str(loaded[0]), read_only=True) as connection:
        found = connection.execute(
            f"SELECT id, count(*), min(ordinal), max(ordinal) FROM {view} GROUP BY id"
        ).fetchall()
    assert {ident: number for ident, number, _, _ in found} == items
    assert all(low == 1 and high == number for _, number, low, high in found)


def test_components_hold_their_values(loaded: tuple[Path, LoadReport]) -> None:
    """Codes, numbers and digits of the components are those of the JSON, item by item."""
    want = []
    for r in resources("Observation"):
        for place, item in enumerate(r.get("component", []), 1):
            quantity = item["valueQuantity"]
            code = item["code"]["coding"][0]["code"]
            want.append((r["id"], place, code, float(quantity["value"]), str(quantity["value"]), quantity["unit"]))
    with duckdb.connect(str(loaded[0]), read_only=True) as connection:
        found = connection.execute(
            "SELECT id, ordinal, code, value_number, value_literal, value_unit FROM observation_component"
        ).fetchall()
    assert want
    assert sorted(found) == sorted(want)
