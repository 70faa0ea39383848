"""What reads inputs again reads objects too: repair and refresh."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flows.inputs import Outcome, medication, query, write
from tests.flows.test_refresh import older
from tests.objects.store import Store

pytestmark = pytest.mark.integration
Clinmart = Callable[..., Outcome]


def test_repair_loads_objects_again(store: Store, tmp_path: Path, clinmart: Clinmart) -> None:
    """A mart that lost the commit of an object has it again; one that was replaced since is told."""
    mart = tmp_path / "m.duckdb"
    clinmart("load", write(tmp_path / "a.ndjson", medication("a")), "--mart", mart, "--source", "s")
    old = shutil.copy(mart, tmp_path / "old")
    store.put("b.ndjson", medication("b") + b"\n")
    store.put("c.ndjson", medication("c") + b"\n")
    assert clinmart("load", "s3://clinic/", "--mart", mart, "--source", "s").code == 0
    shutil.copy(old, mart)
    mart.with_name(mart.name + ".wal").unlink(missing_ok=True)
    assert clinmart("status", "--mart", mart).code == 4
    store.put("c.ndjson", medication("other") + b"\n")
    repaired = clinmart("repair", "--mart", mart, "--json")
    assert repaired.code == 4 and repaired.json["missing"] == ["s3://clinic/c.ndjson has changed"]
    store.put("c.ndjson", medication("c") + b"\n")
    assert clinmart("repair", "--mart", mart).code == 0
    assert query(mart, "SELECT id FROM medication ORDER BY id") == [("a",), ("b",), ("c",)]


def test_refresh_reads_objects_again(store: Store, tmp_path: Path, clinmart: Clinmart) -> None:
    """Rows get what an older clinmart did not read; an object that is gone is named."""
    mart = tmp_path / "m.duckdb"
    store.put("a.ndjson", medication("a", "text") + b"\n")
    with older():
        assert clinmart("load", "s3://clinic/a.ndjson", "--mart", mart, "--source", "s").code == 0
    assert clinmart("refresh", "medication", "--mart", mart).code == 0
    assert query(mart, "SELECT code_text FROM medication") == [("text",)]
    way = clinmart("lineage", "medication.code_text", "--row", "a", "--mart", mart)
    assert way.code == 0 and b"s3://clinic/a.ndjson:1" in way.out, "the line in the object that the row was made of"
    store.request("DELETE", "a.ndjson")
    gone = clinmart("refresh", "medication", "--mart", mart)
    assert gone.code == 4 and "s3://clinic/a.ndjson is gone" in gone.err
