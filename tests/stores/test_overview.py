"""What a mart holds, at a glance."""

from __future__ import annotations

from stores.load_row import save_load
from stores.overview import overview, table_rows
from tests.stores.desk import T0, Desk, Version, at


def test_empty_mart(desk: Desk) -> None:
    """A mart without loads shows nothing, and does not fail."""
    assert not any(overview(desk.connection).values())


def test_tables_sources_and_loads(desk: Desk) -> None:
    """Rows and earlier versions by table, newest data by source and type, loads newest first."""
    desk.load([Version(version_id="1"), Version(version_id="2", time=at(1)), Version("b")])
    desk.load([Version(type="Flag", time=at(7))], source="other")
    found = overview(desk.connection)
    assert found["tables"] == [
        {"table": "medication", "rows": 2, "earlier_versions": 1},
        {"table": "resource", "rows": 1, "earlier_versions": 0},
    ]
    assert [(s["source"], s["resource_type"], s["newest"]) for s in found["sources"]] == [
        ("other", "Flag", at(7)),
        ("s", "Medication", at(1)),
    ]
    assert {(x["source"], x["read"], x["applied"], x["quarantined"]) for x in found["loads"]} == {
        ("s", 3, 2, 0),
        ("other", 1, 1, 0),
    }
    assert dict(table_rows(desk.connection)) == {
        "medication": 2,
        "resource": 1,
        "hl7_segment": 0,
        "document_section": 0,
    }


def test_load_that_read_nothing(desk: Desk) -> None:
    """A load without any line shows zeros or nothing, not an error."""
    save_load(desk.connection, desk.report(), finished=T0)
    (load,) = overview(desk.connection)["loads"]
    assert not load["read"]
    assert load["status"] == "ok"
