"""Views for daily work over a mart of a few rows: every coding once, and nothing that should not be counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from schemas.table import Kind
from schemas.tables import all_tables
from stores.codings import CODING_COLUMNS
from stores.daily_views import EXCLUDED_COLUMNS, reasons
from stores.ddl import contract, resource_contract
from stores.layout import layout
from stores.stored import make_room

LOINC, SCT = "http://loinc.org", "http://snomed.info/sct"
IDENTITY = "'s' AS source, now() AS last_updated, 0 AS last_updated_nanos, 'l' AS load_id, ''::BLOB AS content_hash"


@pytest.fixture(scope="module")
def mart() -> Iterator[duckdb.DuckDBPyConnection]:
    """Tables and views of a mart, with rows that differ in what is said about them."""
    with duckdb.connect(":memory:") as connection:
        for statement in layout(all_tables()):
            connection.execute(statement)
        shown = {table.name: contract(table) for table in all_tables()} | {"resource": resource_contract()}
        for table in {table for table, _, _ in ROWS}:
            make_room(connection, shown[table], {}, {column.name for column in shown[table].columns})
        for table, ident, more in ROWS:
            connection.execute(f"INSERT INTO stored.{table} BY NAME SELECT {IDENTITY}, '{ident}' AS id, {more}")
        yield connection


def coding(system: str | None, code: str | None, display: str | None = None, text: str | None = None) -> str:
    """A coding in SQL."""
    said = [f"{k} := {'NULL' if v is None else repr(v)}::VARCHAR" for k, v in
            {"system": system, "code": code, "display": display, '"text"': text}.items()]  # fmt: skip
    return f"struct_pack({', '.join(said)})"


TWO = f"[{coding(LOINC, '718-7', 'Hb')}, {coding(SCT, '1')}]"
RANGES = f"[{{'applies_to_codings': [{coding(SCT, '2', None, 'adult')}, {coding(None, None, None, 'text only')}]}}]"
ROWS = [
    ("observation", "good", f"'final' AS status, 'Hb' AS code_text, {TWO} AS code_codings, "
     f"[{{'code_codings': {TWO}, 'reference_ranges': NULL}}, {{'code_codings': NULL, 'reference_ranges': {RANGES}}}] "
     "AS components"),
    ("observation", "wrong", "'entered-in-error' AS status, [{'code_text': 'x'}] AS components"),
    ("observation", "modified", "'final' AS status, '[{}]' AS modifier_extension"),
    ("observation", "both", "'entered-in-error' AS status, '[{}]' AS modifier_extension"),
    ("observation", "silent", "NULL AS status"),
    ("condition", "refuted", "'refuted' AS verification_status"),
    ("condition", "unconfirmed", "'unconfirmed' AS verification_status"),
    ("condition", "bare", "NULL AS verification_status"),
    ("document_reference", "wrong", "'current' AS status, 'entered-in-error' AS doc_status"),
    ("encounter", "one", "'AMB' AS encounter_class, 'http://c' AS encounter_class_system"),
    ("patient", "p", "NULL AS gender"),
    ("resource", "flag", """'Flag' AS type, '{"status": "entered-in-error"}' AS json"""),
    ("resource", "doubt", """'ClinicalImpression' AS type, '{"modifierExtension": [{}]}' AS json"""),
    ("resource", "not", """'X' AS type, '{"verificationStatus": {"coding": [{"code": "refuted"}]}}' AS json"""),
    ("resource", "fine", """'List' AS type, '{"status": "current", "x": [{"status": "entered-in-error"}]}' AS json"""),
]  # fmt: skip


def ask(mart: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    return mart.execute(query).fetchall()


def test_codings(mart: duckdb.DuckDBPyConnection) -> None:
    """Of columns, of lists and of lists in lists, with their places; text without a coding is none."""
    where = "resource_type = 'Observation' ORDER BY column_name, items, ordinal"
    assert ask(mart, f"SELECT * FROM coding WHERE {where}") == [
        ("s", "Observation", "good", "code", None, 1, LOINC, "718-7", "Hb", "Hb"),
        ("s", "Observation", "good", "code", None, 2, SCT, "1", None, "Hb"),
        ("s", "Observation", "good", "components.code", [1], 1, LOINC, "718-7", "Hb", None),
        ("s", "Observation", "good", "components.code", [1], 2, SCT, "1", None, None),
        ("s", "Observation", "good", "components.reference_ranges.applies_to", [2, 1], 1, SCT, "2", None, "adult"),
    ]  # fmt: skip
    assert ask(mart, "SELECT column_name, system, code FROM coding WHERE id = 'one'") == [
        ("encounter_class", "http://c", "AMB")
    ]
    assert ask(mart, "SELECT count(*) FROM coding") == [(6,)]


def test_every_coded_column_is_in_it() -> None:
    """At any depth, once."""
    everything = [contract(table).coded for table in all_tables()]
    views = [one.view({c.name for e in one.elements for c in e.columns}) for one in everything if one is not None]
    parts = sum(view.count(" AS column_name, items, ordinal") for view in views)

    def coded(elements: Any) -> int:
        return sum((e.kind is Kind.CODING) + coded(e.children) for e in elements)

    assert parts == sum(coded(table.elements) for table in all_tables()) > 300


def test_a_filter_leaves_one_column_to_read(mart: duckdb.DuckDBPyConnection) -> None:
    """Type and column in WHERE: nothing else is scanned, so that large marts answer quickly."""
    where = "resource_type = 'Observation' AND column_name = 'code'"
    (plan,) = ask(mart, f"EXPLAIN (FORMAT json) SELECT * FROM coding WHERE {where}")
    assert str(plan).count("SEQ_SCAN") == 1


def test_clean_tables(mart: duckdb.DuckDBPyConnection) -> None:
    """What is in error, refuted or modified is left out; what is unconfirmed or silent is not."""
    kept = {name: ask(mart, f"SELECT id FROM clean.{name} ORDER BY id") for name, _, _ in ROWS}
    assert kept == {
        "observation": [("good",), ("silent",)],
        "condition": [("bare",), ("unconfirmed",)],
        "document_reference": [],
        "encounter": [("one",)],
        "patient": [("p",)],
        "resource": [("fine",)],
    }
    assert ask(mart, "SELECT count(*) FROM observation_component") == [(3,)]
    assert ask(mart, "SELECT id, ordinal FROM clean.observation_component ORDER BY 2") == [("good", 1), ("good", 2)]
    assert ask(mart, "SELECT * FROM clean.observation LIMIT 0") == ask(mart, "SELECT * FROM observation LIMIT 0")


def test_what_is_left_out_is_named(mart: duckdb.DuckDBPyConnection) -> None:
    """One row for each reason; with those that are kept they are all rows."""
    assert ask(mart, "SELECT * EXCLUDE (source) FROM clean.excluded ORDER BY ALL") == [
        ("ClinicalImpression", "resource", "doubt", "modifier_extension"),
        ("Condition", "condition", "refuted", "refuted"),
        ("DocumentReference", "document_reference", "wrong", "entered-in-error"),
        ("Flag", "resource", "flag", "entered-in-error"),
        ("Observation", "observation", "both", "entered-in-error"),
        ("Observation", "observation", "both", "modifier_extension"),
        ("Observation", "observation", "modified", "modifier_extension"),
        ("Observation", "observation", "wrong", "entered-in-error"),
        ("X", "resource", "not", "refuted"),
    ]
    for name in {name for name, _, _ in ROWS}:
        left_out = f"SELECT DISTINCT id FROM clean.excluded WHERE table_name = '{name}'"
        assert ask(mart, f"SELECT id FROM clean.{name} UNION ALL ({left_out}) ORDER BY 1") == ask(
            mart, f"SELECT id FROM main.{name} ORDER BY 1"
        )


def test_every_table_has_its_clean_view(mart: duckdb.DuckDBPyConnection) -> None:
    """Also the views of items; and each type that has a status of its own is asked by it."""
    names = "SELECT table_name FROM information_schema.tables WHERE table_schema = '{}' ORDER BY 1"
    main = [
        name
        for (name,) in ask(mart, names.format("main"))
        if name not in ("coding", "lab", "vital", "hl7_segment", "document_section")
    ]
    clean = [name for (name,) in ask(mart, names.format("clean")) if name != "excluded"]
    assert main == clean
    assert all("modifier_extension" in reasons(table) for table in all_tables())
    asked = {table.name for table in all_tables() if "entered-in-error" in reasons(table)}
    assert len(asked) == 24
    assert {table.name for table in all_tables() if "refuted" in reasons(table)} == {"allergy_intolerance", "condition"}


def test_columns_are_as_documented(mart: duckdb.DuckDBPyConnection) -> None:
    """Names and types of the two views that have columns of their own; none is a word of SQL."""
    for view, columns in (("main.coding", CODING_COLUMNS), ("clean.excluded", EXCLUDED_COLUMNS)):
        found = [row[:2] for row in ask(mart, f"DESCRIBE {view}")]
        assert found == [(c.name, c.dtype) for c in columns]
    reserved = {
        word for (word,) in ask(mart, "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'")
    }
    assert not reserved & {"coding", "excluded", "clean", *(c.name for c in (*CODING_COLUMNS, *EXCLUDED_COLUMNS))}
