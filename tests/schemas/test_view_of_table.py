"""Built-in tables as ViewDefinitions: they compile, and say what the mart says."""

from __future__ import annotations

import io
import json
import os
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.runner import run_load
from flows.settings import LoadSettings
from flows.views import run_view
from schemas.code_systems import canonical
from schemas.table import MAPPED, MAPPED_SYSTEM, Kind, Table
from schemas.tables import all_tables, table_of
from schemas.view_definition import parse_view
from schemas.view_of_table import AS_SENT, view_of_table
from sources.files import FileSource
from stores.mart import Mart
from transforms.views import compile_view
from transforms.views.output import Format

SHARED = Path(os.environ.get("CLINMART_SHARED", Path(__file__).parents[3] / "shared"))
EXPORT = SHARED / "data" / "fhir-export"
TYPES = ("Claim", "Condition", "Encounter", "Immunization", "MedicationRequest", "Observation", "Patient")


def _columns(table: Table) -> list[dict[str, Any]]:
    view: Any = view_of_table(table)
    columns: list[dict[str, Any]] = view["select"][0]["column"]
    return columns


@pytest.mark.parametrize("table", all_tables(), ids=lambda table: table.name)
def test_every_table_compiles(table: Table) -> None:
    """The view is JSON, is accepted, and has the columns that it declares."""
    view = json.dumps(view_of_table(table))
    compiled = compile_view(parse_view(view))
    assert compiled.resource == table.resource_type
    assert [column.name for column in compiled.columns] == [column["name"] for column in _columns(table)]


@pytest.mark.parametrize("table", all_tables(), ids=lambda table: table.name)
def test_paths_are_of_the_standard(table: Table) -> None:
    """No JSON name of a choice: ``value.ofType(Quantity)``, never ``valueQuantity``."""
    for column in _columns(table):
        steps = re.findall(r"[A-Za-z]\w*", re.sub(r"'[^']*'", "", column["path"]))
        assert not [s for s in steps if re.match(r"(value|effective|onset|deceased|medication)[A-Z]", s)], column


@pytest.mark.parametrize("table", all_tables(), ids=lambda table: table.name)
def test_nothing_that_a_path_can_say_is_left_out(table: Table) -> None:
    """Ids, codes, numbers and times of every element have their column."""
    names = {column["name"] for column in _columns(table)}
    for element in table.elements:
        match element.kind:
            case Kind.TIME:
                assert f"{element.name}{AS_SENT}" in names
            case Kind.CODING:
                sent = {c.name for c in element.columns if c.dtype == "VARCHAR"}
                assert {name for name in sent if not name.endswith((MAPPED, MAPPED_SYSTEM))} <= names
            case Kind.REFERENCE:
                ids = {c.name for c in element.columns if c.name.endswith("_id")}
                assert ids <= names
            case Kind.PLAIN:
                read = {r.name for r in element.reads}  # what the normaliser adds no path can say
                plain = {c.name for c in element.columns if c.dtype in ("DOUBLE", "BIGINT", "BOOLEAN")} & read
                assert plain <= names


@pytest.fixture(scope="module")
def mart(tmp_path_factory: pytest.TempPathFactory) -> Mart:
    """A mart with some types of the export."""
    if not EXPORT.is_dir():
        pytest.skip(f"no export in {EXPORT}; set CLINMART_SHARED")
    path = tmp_path_factory.mktemp("mart") / "m.duckdb"
    files = [str(file) for kind in TYPES for file in sorted(EXPORT.glob(f"*{kind}.*ndjson*"))]
    assert files
    run_load(FileSource(files), LoadSettings(mart=path, source="s", jobs=1))
    return Mart(path)


@pytest.mark.conformance
@pytest.mark.parametrize("kind", TYPES)
def test_the_view_says_what_the_mart_says(mart: Mart, kind: str) -> None:
    """Ids, codes, texts, numbers, booleans and times of real data are those of the table, row by row."""
    table = table_of(kind)
    assert table is not None
    out = io.BytesIO()
    files = sorted(EXPORT.glob(f"*{kind}.*ndjson*"))
    report = run_view(compile_view(parse_view(view_of_table(table))), FileSource(files), Format.PARQUET, out, 1)
    view = pl.read_parquet(out.getvalue()).sort("id")
    with mart.connect(read_only=True) as connection:
        rows = connection.cursor().sql(f"SELECT * FROM {table.name} ORDER BY id").to_arrow_table()
    loaded = pl.DataFrame(rows)
    assert report.rows == loaded.height > 0
    assert not report.refused
    shared = [name for name in view.columns if name in loaded.columns]
    assert len(shared) > 20
    assert sum(view[name].drop_nulls().len() > 0 for name in shared) > 5
    for name in shared:
        said = view[name].to_list()
        if name.endswith("_system"):  # a view says systems as sent, the mart calls each by one name
            said = [None if value is None else canonical(value) for value in said]
        # A collection without items is an empty list in a view (SQL on FHIR) and null in the mart.
        assert [None if value == [] else value for value in said] == loaded[name].to_list(), name
    for name in (name for name in view.columns if name.endswith(AS_SENT) and name != f"last_updated{AS_SENT}"):
        dates = loaded[f"{name.removesuffix(AS_SENT)}_date"].dt.to_string()
        precise = view[name].str.len_chars() >= 10
        assert view[name].str.slice(0, 10).filter(precise).to_list() == dates.filter(precise).to_list(), name
