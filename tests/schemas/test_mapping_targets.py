"""What mappings can fill: every target leads to a place that FHIR has and that the table's projection reads."""

from __future__ import annotations

import polars as pl
import pytest

from schemas import fhir_types
from schemas.mapping import Target, targets_of
from schemas.mapping.targets import Value
from schemas.table import Table
from schemas.tables import all_tables
from transforms.decode.extract.assemble import Assembly
from transforms.decode.frames import FrameReader
from transforms.normalise import Meaning, normalise
from transforms.times import bracketed_times

TABLES = {table.name: table for table in all_tables()}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_targets_stand_in_fhir(table: Table) -> None:
    """Each step is an element of the type before it, a list where FHIR has a list."""
    assert targets_of(table)
    for target in targets_of(table).values():
        kind = table.resource_type
        for name, item in target.steps:
            element = fhir_types.element(kind, name)
            assert element is not None, (target.name, name)
            assert element.many == bool(item), (target.name, name)
            kind = element.type
        assert target.value is Value.TYPE or fhir_types.is_primitive(kind), target.name


VALUES = {
    Value.TEXT: pl.Series(["text"]),
    Value.NUMBER: pl.Series([1.5]),
    Value.RESULT: pl.Series([1.5]),
    Value.INTEGER: pl.Series([3]),
    Value.BOOLEAN: pl.Series([True]),
    Value.TIME: pl.Series(["2024-05-01"]),
}


def landed(table: Table, target: Target) -> set[str]:
    """The columns of the mart that a value of a target fills."""
    work = Assembly()
    value = VALUES.get(target.value)
    if value is None:
        value = pl.Series([f"{target.to or 'Device'}/x"])
    work.put(target.steps, value)
    if target.value in (Value.NUMBER, Value.RESULT):
        work.put((*target.steps[:-1], ("#value", "")), pl.Series(["1.50"]))
    for steps, text in target.with_item:
        work.put(steps, pl.Series([text]))
    frame = pl.DataFrame(work.columns()).hstack([pl.Series("id", ["i"])])
    body = normalise(FrameReader().read(frame, table), table.elements, Meaning(times=bracketed_times))
    return {name for name in body.columns if body[name].null_count() == 0}


@pytest.mark.parametrize("name", ["observation", "patient", "encounter", "condition", "medication_request"])
def test_targets_fill_their_columns(name: str) -> None:
    """A value at its place comes out in the column of the same name."""
    table = TABLES[name]
    for target in targets_of(table).values():
        if target.value is Value.TYPE or target.name in ("value", "mrn_system"):
            continue
        columns = landed(table, target)
        if target.value is Value.TIME:
            stem = target.name.removesuffix("_at")
            assert f"{stem}_date" in columns, (target.name, columns)
        elif target.type_name:
            assert {target.name, f"{target.name.removesuffix('_id')}_reference"} & columns, (target.name, columns)
        else:
            assert target.name in columns, (target.name, columns)


def test_names() -> None:
    """Times go by all their names, and what no mapping can fill is none."""
    observation = targets_of(TABLES["observation"])
    assert observation["effective"] is observation["effective_at"] is observation["effective_date"]
    assert observation["value"].value is Value.RESULT
    assert targets_of(TABLES["patient"])["birth_date"].fhir_type == "date"
    assert not {"id", "source", "load_id", "code_codings", "harmonized_value", "meta_tag", "content_hash"} & set(
        observation
    )
