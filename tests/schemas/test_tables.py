"""What holds for every table: names that SQL takes, descriptions, codes, projections and DDL that run."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import duckdb
import pytest
from fhir.resources.R4B import get_fhir_model_class

from schemas import fhir_types
from schemas.bookkeeping import BOOKKEEPING, RESOURCE_COLUMNS
from schemas.dtypes import polars_dtype
from schemas.model import model
from schemas.table import IDENTITY, Column, Element, Table
from schemas.tables import all_tables, table_of
from schemas.value_sets import required_codes
from stores.ddl import statements
from transforms.project import projection

ROOT = Path(__file__).parents[2]
TABLES = all_tables()

# The tables that the mart promises.
_PROMISED = """
    patient encounter observation condition procedure medication_request medication_administration medication_dispense
    medication_statement medication immunization allergy_intolerance diagnostic_report document_reference care_plan
    care_team claim explanation_of_benefit coverage device goal imaging_study location organization practitioner
    practitioner_role provenance related_person service_request specimen fhir_group
"""

# PostgreSQL 17, appendix C: reserved, and reserved that may be function or type.
_POSTGRESQL_RESERVED = """
    all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation
    column concurrently constraint create cross current_catalog current_date current_role current_schema current_time
    current_timestamp current_user default deferrable desc distinct do else end except false fetch for foreign freeze
    from full grant group having ilike in initially inner intersect into is isnull join lateral leading left like limit
    localtime localtimestamp natural not notnull null offset on only or order outer overlaps placing primary references
    returning right select session_user similar some symmetric system_user table tablesample then to trailing true union
    unique user using variadic verbose when where window with
"""
DUCKDB_CATEGORIES = ("reserved", "column_name", "type_function")

# Elements with a required binding whose codes are not checked, and why.
CODES_NOT_CHECKED: dict[tuple[str, str], str] = {}


def identify(table: Table) -> str:
    """A table's name, for pytest."""
    return table.name


each_table = pytest.mark.parametrize("table", TABLES, ids=identify)


def levels(
    columns: tuple[Column, ...], elements: tuple[Element, ...], where: str
) -> Iterator[tuple[str, list[Column]]]:
    """The columns of a table and of the structs in it, at any depth, with the place."""
    yield where, list(columns)
    for element in elements:
        if element.children:
            fields = tuple(c for child in element.children for c in child.columns)
            yield from levels(fields, element.children, f"{where}.{element.name}")


def all_levels(table: Table) -> list[tuple[str, list[Column]]]:
    """Levels of one table."""
    return list(levels(tuple(table.columns()), table.elements, table.name))


def keywords() -> frozenset[str]:
    """Words that neither DuckDB nor PostgreSQL takes as a name without quotes."""
    with duckdb.connect() as connection:
        rows = connection.execute("SELECT keyword_name, keyword_category FROM duckdb_keywords()").fetchall()
    return frozenset(_POSTGRESQL_RESERVED.split()) | {word for word, category in rows if category in DUCKDB_CATEGORIES}


def test_promised_tables_exist() -> None:
    """Every table of the contract is there, under its name, for one resource type each."""
    names = [t.name for t in TABLES]
    assert set(_PROMISED.split()) <= set(names)
    assert len(set(names)) == len(names)
    assert len({t.resource_type for t in TABLES}) == len(TABLES)
    assert all(table_of(t.resource_type) is t for t in TABLES)


def test_no_name_is_a_keyword() -> None:
    """Tables, child views, columns and fields need no quotes in DuckDB and PostgreSQL."""
    reserved = keywords()
    names = {column.name for table in TABLES for _, columns in all_levels(table) for column in columns}
    names |= {table.name for table in TABLES} | {str(e.child_table) for t in TABLES for e in t.child_tables()}
    names |= {c.name for columns in BOOKKEEPING.values() for c in columns} | {c.name for c in RESOURCE_COLUMNS}
    assert sorted(names & reserved) == []
    assert sorted(name for name in names if not (name.isascii() and name.islower() and name.isidentifier())) == []
    assert {"group", "end", "user", "order"} <= reserved


@each_table
def test_names_are_used_once(table: Table) -> None:
    """No column stands twice in a table, no field twice in a struct."""
    for where, columns in all_levels(table):
        names = [c.name for c in columns]
        assert sorted({n for n in names if names.count(n) > 1}) == [], where


def test_views_are_named_once() -> None:
    """Tables and child views share one name space."""
    names = [t.name for t in TABLES] + [str(e.child_table) for t in TABLES for e in t.child_tables()] + ["resource"]
    assert sorted({n for n in names if names.count(n) > 1}) == []


@each_table
def test_fields_of_children_leave_the_key_alone(table: Table) -> None:
    """The fields of a child view are none of the identity columns, which it has too, nor its ordinal."""
    shared = {c.name for c in IDENTITY} | {"ordinal"}
    for element in table.child_tables():
        assert {c.name for child in element.children for c in child.columns} & shared == set(), element.child_table


@each_table
def test_everything_is_described(table: Table) -> None:
    """Table, columns and fields have a description that is a sentence."""
    assert table.description.endswith(".")
    for where, columns in all_levels(table):
        for column in columns:
            assert column.description[:1] in (column.description[:1].upper(), "`"), (where, column.name)
            assert column.description.endswith("."), (where, column.name)
            assert len(column.description) > 3, (where, column.name)


@each_table
def test_projection_runs_on_an_empty_file(table: Table, tmp_path: Path) -> None:
    """The projection of all elements is SQL that DuckDB takes, and an empty file gives its columns and no row."""
    empty = tmp_path / "empty.ndjson"
    empty.write_bytes(b"")
    made = projection(table)
    with duckdb.connect() as connection:
        result = connection.execute(made.query(str(empty)))
        assert [d[0] for d in result.description or ()] == list(made.names)
        assert result.fetchall() == []


def test_ddl_runs_and_every_view_can_be_selected() -> None:
    """DuckDB takes the DDL of all tables, twice, and every table and view answers with the columns of its model."""
    with duckdb.connect() as connection:
        for _ in range(2):
            for statement in statements(TABLES):
                connection.execute(statement)
        for table in TABLES:
            assert columns_of(connection, table.name) == table.column_names()
            for element in table.child_tables():
                fields = [c.name for child in element.children for c in child.columns]
                key = [c.name for c in IDENTITY]
                assert columns_of(connection, str(element.child_table)) == [*key, "ordinal", *fields]


def columns_of(connection: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    """The columns that a SELECT from a table or view gives."""
    result = connection.execute(f"SELECT * FROM main.{name}")
    assert result.fetchall() == []
    return [d[0] for d in result.description or ()]


@each_table
def test_model_builds(table: Table) -> None:
    """The pandera model has every column of the table, with the type that the mart stores."""
    made = model(table)
    assert set(table.column_names()) <= set(made.columns)
    for column in table.columns():
        assert made.columns[column.name].dtype.type == polars_dtype(column.dtype), column.name


@each_table
def test_required_bindings_have_codes(table: Table) -> None:
    """Each `code` for which fhir.resources lists codes of a required binding has codes here too, or a reason not to."""
    for parent in backbones(table.resource_type):
        model_class = get_fhir_model_class("".join(part[0].upper() + part[1:] for part in parent.split(".")))
        for name, info in model_class.model_fields.items():
            extra = info.json_schema_extra
            element = fhir_types.element(parent, info.alias or name)
            if element is None or not isinstance(extra, dict) or not extra.get("enum_values"):
                continue
            checked = required_codes(parent, element) or (parent, element.name) in CODES_NOT_CHECKED
            assert checked, f"{parent}.{element.name} is bound to codes"


def backbones(type_name: str) -> Iterator[str]:
    """A type and the types of its backbone elements, at any depth."""
    yield type_name
    for element in fhir_types.elements(type_name).values():
        if element.type.startswith(type_name + "."):
            yield from backbones(element.type)


@each_table
def test_code_columns_know_their_codes(table: Table) -> None:
    """A column that holds a `code` with a required binding is checked against its codes."""
    checked = {c.path: c.codes for e in table.elements for c in e.columns if e.fhir_type == "code"}
    for path, codes in checked.items():
        if "(" in path:
            continue  # an extension, or the first item of a list
        *parents, last = path.split(".")
        parent = table.resource_type
        for step in parents:
            within = fhir_types.element(parent, step)
            assert within is not None
            parent = within.type
        element = fhir_types.element(parent, last)
        assert element is not None
        assert codes == required_codes(parent, element), path


def dictionary() -> ModuleType:
    """The tool that writes the data dictionary."""
    spec = importlib.util.spec_from_file_location("data_dictionary_tool", ROOT / "tools" / "data_dictionary.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


def test_data_dictionary_is_fresh() -> None:
    """docs/data_dictionary.md is what `make docs` writes."""
    stale = "docs/data_dictionary.md is stale: run `make docs`"
    assert (ROOT / "docs" / "data_dictionary.md").read_text(encoding="utf-8") == dictionary().rendered(), stale


def test_data_dictionary_has_every_column() -> None:
    """Each table, view and column has its line, with its mark where it identifies a person."""
    text = dictionary().rendered()
    for table in TABLES:
        section = text.split(f"\n### `{table.name}`\n")[1].split("\n### ")[0]
        for column in (c for e in table.elements for c in e.columns):
            assert f"\n| `{column.name}` |" in section, (table.name, column.name)
        for element in table.child_tables():
            assert f"\n#### `{element.child_table}`\n" in section
    assert "| `birth_date` | DATE | `birthDate` | PHI |" in text
    for name, columns in BOOKKEEPING.items():
        section = text.split(f"\n### `etl.{name}`\n")[1].split("\n### ")[0]
        assert all(f"| `{c.name}` |" in section for c in columns)
