"""The pandera model of each table: its columns, checks and metadata."""

from __future__ import annotations

import pandera.errors
import polars as pl
import pytest

from schemas import fhir_types
from schemas.dtypes import polars_dtype
from schemas.model import ID_PATTERN, columns, model
from schemas.reasons import reason_of
from schemas.table import INVALID, PRESENT, Table
from schemas.tables import all_tables, table_of

TABLES = pytest.mark.parametrize("table", all_tables(), ids=lambda table: str(table.name))


@TABLES
def test_names_are_unique_and_columns_described(table: Table) -> None:
    """Each column once, with a sentence; the model has all of them with their types."""
    names = table.column_names()
    assert len(names) == len(set(names))
    assert len({read.name for element in table.elements for read in element.reads}) == sum(
        len(e.reads) for e in table.elements
    )
    made = columns(table)
    for column in table.columns():
        assert column.description.endswith("."), column.name
        assert made[column.name].dtype.type == polars_dtype(column.dtype), column.name
    assert set(made) - set(names) <= {f"{INVALID}{e.name}" for e in table.elements} | {
        e.present for e in table.elements if e.present
    } | {f"{INVALID}last_updated"}


@TABLES
def test_required_elements_are_required(table: Table) -> None:
    """Every required top-level element that the table declares has a check, and no optional one."""
    needed = {e.name for e in fhir_types.elements(table.resource_type).values() if e.required}
    for element in table.elements:
        top = element.path.split(".")[0]
        checked = element.present is not None or any(column.required for column in element.columns)
        if checked:
            assert top in needed or fhir_types.choices(table.resource_type, top), element.path


@TABLES
def test_every_check_is_a_reason(table: Table) -> None:
    """A check's name is a reason code, with the rule's name after it."""
    schema = model(table)
    checks = [check for column in schema.columns.values() for check in column.checks]
    checks += list(schema.checks or [])
    assert checks
    for check in checks:
        assert reason_of(str(check.name).partition(":")[0]).meaning


def test_a_model_finds_what_is_wrong() -> None:
    """Required, codes, id: by hand on a frame of nulls with one wrong row."""
    table = table_of("Observation")
    assert table is not None
    schema = model(table)
    frame = pl.DataFrame({n: pl.Series([None, None], dtype=c.dtype.type) for n, c in schema.columns.items() if c.dtype})
    frame = frame.with_columns(
        pl.Series("id", ["good", "b d"]),
        pl.Series("status", ["final", "bogus"]),
        *(pl.lit(True).alias(e.present) for e in table.elements if e.present),
    )
    with pytest.raises(pandera.errors.SchemaErrors) as caught:
        schema.validate(frame, lazy=True)
    cases = caught.value.failure_cases.select("check", "index").rows()
    assert {row for _, row in cases} == {1}
    assert {str(check) for check, _ in cases} == {"invalid_id", "code_not_in_value_set"}
    assert PRESENT + "code" in frame.columns


def test_the_id_pattern() -> None:
    """FHIR R4 2.24.0.1: 1 to 64 letters, digits, hyphens and dots."""
    ids = pl.Series(["a", "A-1.b", "x" * 64, "", "x" * 65, "a b", "a_b", "é", "a\n"])
    assert ids.str.contains(ID_PATTERN).to_list() == [True] * 3 + [False] * 6
