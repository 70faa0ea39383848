"""How columns and tables are called."""

from __future__ import annotations

import duckdb
import pytest

from schemas.naming import plural, snake, table_name, time_stem
from schemas.tables import all_tables


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("MedicationRequest", "medication_request"),
        ("medicationRequest", "medication_request"),
        ("status", "status"),
        ("doseAndRate", "dose_and_rate"),
        ("item1Name", "item1_name"),
    ],
)
def test_snake(name: str, column: str) -> None:
    """Words are told by their capitals; what is snake stays."""
    assert snake(name) == column
    assert snake(column) == column


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("recordedDate", "recorded"),
        ("authoredOn", "authored"),
        ("occurrenceDateTime", "occurrence"),
        ("issued", "issued"),
        ("birthDate", "birth"),
        ("date", "date"),
        ("on", "on"),
    ],
)
def test_time_stem(name: str, stem: str) -> None:
    """The ending that says "time" goes, unless it is all there is."""
    assert time_stem(name) == stem


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("category", "categories"),
        ("based_on", "based_on_list"),
        ("part_of", "part_of_list"),
        ("address", "addresses"),
        ("diagnosis", "diagnoses"),
        ("name", "names"),
        ("day", "days"),
        ("suffix", "suffixes"),
        ("batch", "batches"),
    ],
)
def test_plural(one: str, many: str) -> None:
    """Lists are called by the plural."""
    assert plural(one) == many


def test_no_name_is_an_sql_keyword() -> None:
    """`SELECT name FROM table` needs no quotes anywhere in the mart."""
    assert table_name("Group") == "fhir_group"
    words = {row[0] for row in duckdb.execute("SELECT keyword_name FROM duckdb_keywords()").fetchall()}
    reserved = {
        row[0]
        for row in duckdb.execute(
            "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'"
        ).fetchall()
    }
    assert {"group", "select"} <= reserved <= words
    for table in all_tables():
        assert table.name == table_name(table.resource_type)
        for name in (table.name, *table.column_names()):
            assert name == snake(name)
            assert name not in reserved, f"{table.name}.{name}"
