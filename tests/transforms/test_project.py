"""The projection of every table runs, and reads extensions whatever else stands in a batch."""

from __future__ import annotations

import duckdb
import pytest

from schemas.systems import US_CORE
from schemas.table import Table
from schemas.tables import all_tables
from tests.transforms.one_chunk import rows, run, written
from transforms.decode.memory_file import memory_file
from transforms.project import Present, keys, projection, whole_projection


@pytest.mark.parametrize("table", all_tables(), ids=lambda table: str(table.name))
@pytest.mark.parametrize("present", [None, Present(frozenset())])
def test_every_projection_runs(table: Table, present: Present | None) -> None:
    """Its columns are those it names, one row a line; without keys only identity and presence are left."""
    plan = projection(table, present)
    line = f'{{"resourceType":"{table.resource_type}","id":"a"}}\n'.encode()
    with memory_file(line * 2) as path:
        found = duckdb.execute(plan.query(path))
        assert tuple(column[0] for column in found.description or ()) == plan.names
        assert [row[0] for row in found.fetchall()] == ["a", "a"]
    if present is not None:
        assert all(name in ("id", "version_id", "last_updated") or name.startswith("?") for name in plan.names)
    assert {"id", "meta", "versionId"} <= keys(plan.shape)


def test_whole_resources() -> None:
    """Identity only."""
    assert whole_projection().names == ("id", "version_id", "last_updated")


def test_an_extension_needs_no_other_key() -> None:
    """Birth sex is read although no other element of the batch is called `value`."""
    url = US_CORE + "us-core-birthsex"
    patient = {"resourceType": "Patient", "id": "p", "extension": [{"url": url, "valueCode": "F"}]}
    (row,) = rows(run([written(patient)]), "patient")
    assert row["birth_sex"] == "F"
