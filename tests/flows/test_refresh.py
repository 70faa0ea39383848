"""Values are made anew from the files; rows, versions, times and loads stay."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flows.drain import Drain
from flows.mart_views import add_to_mart
from flows.refresh import RefreshReport, run_refresh
from flows.runner import run_load
from flows.settings import LoadSettings
from schemas.errors import StorageError, UsageError
from schemas.table import Table
from schemas.tables import all_tables
from sources.files import FileSource
from sources.source import ReadLimits
from tests.flows.inputs import contents, medication, query, write
from tests.flows.test_replay import strict
from transforms.sample import Sampling

GONE = ("code_text", "ingredients")  # columns that the older clinmart does not know
T1 = datetime(2024, 3, 1, tzinfo=UTC)


def _narrow(table: Table) -> Table:
    if table.name != "medication":
        return table
    return replace(table, elements=tuple(e for e in table.elements if not {c.name for c in e.columns} & set(GONE)))


@contextmanager
def older() -> Iterator[None]:
    """A clinmart whose model of a medication has fewer columns."""
    tables = [_narrow(table) for table in all_tables()]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("flows.session.all_tables", lambda: tables)
        patched.setattr("flows.opening.all_tables", lambda: tables)
        patched.setattr("flows.session.tables_by_type", lambda: {t.resource_type: t for t in tables})
        yield


def _load(mart: Path, *files: Path, **more: Any) -> None:
    settings = LoadSettings(mart, more.pop("source", "s"), sampling=Sampling(0), **more)
    run_load(FileSource(files, settings.limits), settings)


def _refresh(mart: Path, table: str = "medication", **more: Any) -> RefreshReport:
    return run_refresh(LoadSettings(mart, "any", **more), table)


def _versions(ident: str, *numbers: int) -> list[bytes]:
    ingredient = [{"itemCodeableConcept": {"text": "i"}, "isActive": True}]
    return [
        medication(
            ident, f"v{n}", updated=f"2024-01-{n:02d}T00:00:00Z", **({"ingredient": ingredient} if n % 2 else {})
        )
        for n in numbers
    ]


def _files(folder: Path) -> list[Path]:
    """Versions in any order, a row without a time, a Bundle, other types, a line that is refused."""
    other = json.dumps({"resourceType": "Patient", "id": "p", "name": [{"family": "F"}]}).encode()
    entries = [{"resource": json.loads(line)} for line in (*_versions("c", 2, 1), other)]
    bundle = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()
    return [
        write(folder / "1.ndjson", *_versions("a", 2, 5, 1), *_versions("b", 1), other),
        write(folder / "2.ndjson", *_versions("a", 3), medication("bare", "x", updated=None), b"{"),
        write(folder / "3.json", bundle),
    ]


def _rows(mart: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Medications with their loads and what superseded them."""
    return {s: query(mart, f"SELECT * FROM {s}.medication ORDER BY id, content_hash") for s in ("main", "history")}


def _shown(rows: dict[str, list[tuple[Any, ...]]]) -> list[list[Any]]:
    """Rows without what is null, of marts that show more columns than others."""
    return [[value for value in row if value is not None] for schema in rows.values() for row in schema]


@pytest.mark.parametrize("unit", [1, 1 << 30])
def test_new_columns_are_filled(tmp_path: Path, unit: int) -> None:
    """As if today's clinmart had loaded the files, current rows and history, in one commit unit or in several."""
    files, wanted, mart = _files(tmp_path / "in"), tmp_path / "wanted", tmp_path / "m"
    _load(wanted, *files, as_of=T1)
    with older():
        _load(mart, *files, as_of=T1)
    before = query(mart, "SELECT id, last_updated, load_id, content_hash FROM stored.medication ORDER BY ALL")
    report = _refresh(mart, unit_bytes=unit)
    assert report.as_dict() | {"loads": []} == {
        "status": "ok", "table": "medication", "refreshed": 8, "left": 0, "messages": 0, "refused": 0,
        "missing": [], "loads": [],
    }  # fmt: skip
    assert contents(mart) == contents(wanted)
    assert query(mart, "SELECT count(code_text), count(ingredients) FROM medication")[0][0] == 4
    assert query(mart, "SELECT count(ingredients) FROM history.medication") != [(0,)]
    assert query(mart, "SELECT id, last_updated, load_id, content_hash FROM medication ORDER BY ALL") == before
    assert query(mart, "SELECT kind, status FROM etl.load ORDER BY started_at") == [
        ("load", "quarantined"),
        ("refresh", "ok"),
    ]
    now = _rows(mart)
    _refresh(mart)
    assert _rows(mart) == now


def test_values_that_are_gone_go(tmp_path: Path) -> None:
    """What today's projection does not give is null."""
    files = _files(tmp_path / "in")
    _load(tmp_path / "m", *files)
    now = _rows(tmp_path / "m")
    with duckdb.connect(str(tmp_path / "m")) as connection:
        for schema in ("stored", "stored_history"):
            connection.execute(f"UPDATE {schema}.medication SET code_text = 'wrong', ingredients = [NULL]")
    _refresh(tmp_path / "m")
    assert _rows(tmp_path / "m") == now


def test_ranges_of_a_large_file(tmp_path: Path) -> None:
    """A file that was split into byte ranges is read in the same ranges."""
    file = write(tmp_path / "a.ndjson", *(medication(f"m{n}", "x" * 50) for n in range(200)))
    limits = ReadLimits(partition_bytes=7000)
    with older():
        _load(tmp_path / "m", file, limits=limits)
    assert query(tmp_path / "m", "SELECT count(*) > 2 FROM etl.receipt") == [(True,)]
    assert _refresh(tmp_path / "m").refreshed == 200
    assert query(tmp_path / "m", "SELECT count(*) FROM medication WHERE code_text IS NULL") == [(0,)]


def test_files_that_are_gone_or_changed(tmp_path: Path) -> None:
    """They are named; their rows stay as they are and are counted, versions in history too."""
    first, second, third = _files(tmp_path / "in")
    with older():
        _load(tmp_path / "m", first, second, third)
    first.unlink()
    second.write_bytes(second.read_bytes().replace(b"v3", b"v4"))
    report = _refresh(tmp_path / "m")
    assert (report.refreshed, report.left, len(report.missing)) == (2, 6, 2)
    assert all(str(path) in said for path, said in zip((first, second), report.missing, strict=True))
    assert query(tmp_path / "m", "SELECT id FROM medication WHERE code_text IS NOT NULL") == [("c",)]
    assert query(tmp_path / "m", "SELECT count(*) FROM main.medication") == [(4,)]
    assert query(tmp_path / "m", "SELECT status FROM etl.load ORDER BY started_at")[-1] == ("failed",)


def test_lines_refused_today_keep_their_rows(tmp_path: Path) -> None:
    """A check that is new takes no row away and fills no quarantine."""
    file = write(tmp_path / "a.ndjson", medication("bad"), medication("good"))
    with older():
        _load(tmp_path / "m", file)
    with strict():
        report = _refresh(tmp_path / "m")
    assert (report.refreshed, report.left, report.refused) == (1, 1, 1)
    assert query(tmp_path / "m", "SELECT id, code_text FROM medication ORDER BY 1") == [("bad", None), ("good", "x")]
    assert query(tmp_path / "m", "SELECT count(*) FROM etl.quarantine") == [(0,)]


def test_lines_in_the_quarantine_stay_there(tmp_path: Path) -> None:
    """A refresh brings no rows; that is a replay's work."""
    file = write(tmp_path / "a.ndjson", medication("bad"), medication("good"))
    with strict():
        _load(tmp_path / "m", file)
    assert _refresh(tmp_path / "m").refreshed == 1
    assert query(tmp_path / "m", "SELECT id FROM medication") == [("good",)]


def test_sources_keep_apart(tmp_path: Path) -> None:
    """Each source's rows are made of its own files."""
    one, two = (
        write(tmp_path / "1.ndjson", medication("a", "one")),
        write(tmp_path / "2.ndjson", medication("a", "two")),
    )
    with older():
        _load(tmp_path / "m", one, source="s")
        _load(tmp_path / "m", two, source="t")
    assert _refresh(tmp_path / "m").refreshed == 2
    found = query(tmp_path / "m", "SELECT source, code_text FROM medication ORDER BY 1")
    assert found == [("s", "one"), ("t", "two")]


def test_preferred_units(tmp_path: Path) -> None:
    """Other preferred units apply to what was loaded before."""
    line = {
        "resourceType": "Observation", "id": "o", "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "valueQuantity": {"value": 70, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
    }  # fmt: skip
    _load(tmp_path / "m", write(tmp_path / "a.ndjson", json.dumps(line).encode()))
    (tmp_path / "units.csv").write_text("loinc,ucum\n29463-7,g\n")
    harmonised = "SELECT harmonized_value, harmonized_unit FROM observation"
    assert query(tmp_path / "m", harmonised) == [(70.0, "kg")]
    _refresh(tmp_path / "m", "observation", preferred_units=tmp_path / "units.csv")
    assert query(tmp_path / "m", harmonised) == [(70000.0, "g")]


@pytest.mark.parametrize("resource", ["Medication", "Basic"])
def test_view_that_was_added(tmp_path: Path, resource: str) -> None:
    """Its table has the rows of the current versions, of a type with a table or without one."""
    definition = {
        "resourceType": "ViewDefinition", "name": "texts", "status": "active", "resource": resource,
        "select": [{"column": [{"name": "text", "path": "code.text", "type": "string"}]}],
    }  # fmt: skip
    lines = [line.replace(b'"Medication"', f'"{resource}"'.encode()) for line in _versions("a", 2, 4)]
    file = write(tmp_path / "a.ndjson", *lines, medication("other"), b'{"resourceType":"Flag","id":"a"}')
    _load(tmp_path / "m", file)
    (tmp_path / "view.json").write_text(json.dumps(definition))
    add_to_mart(tmp_path / "view.json", tmp_path / "m", 0)
    for _ in range(2):
        report = _refresh(tmp_path / "m", "texts")
        assert (report.refreshed, report.left) == (2 if resource == "Medication" else 1, 0)
        rows = query(tmp_path / "m", "SELECT resource_id, text FROM texts ORDER BY 1")
        assert rows == ([("a", "v4"), ("other", "x")] if resource == "Medication" else [("a", "v4")])
    kinds = query(tmp_path / "m", "SELECT DISTINCT kind FROM texts JOIN etl.load USING (load_id)")
    assert kinds == [("refresh",)]
    file.unlink()
    gone = _refresh(tmp_path / "m", "texts")
    assert (gone.left, len(gone.missing)) == (report.refreshed, 1)
    assert query(tmp_path / "m", "SELECT resource_id, text FROM texts ORDER BY 1") == rows


def test_killed_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that dies changes nothing; once more, and all is refreshed."""
    files = _files(tmp_path / "in")
    with older():
        _load(tmp_path / "m", *files)
    before = _rows(tmp_path / "m")

    def broken(*_: object) -> None:
        raise duckdb.OutOfMemoryException("no room")

    with monkeypatch.context() as patched:
        patched.setattr("stores.refresh.make_history", broken)
        with pytest.raises(StorageError, match="rolled back"):
            _refresh(tmp_path / "m")
    assert _shown(_rows(tmp_path / "m")) == _shown(before)
    assert _refresh(tmp_path / "m").refreshed == 8


def test_drained(tmp_path: Path) -> None:
    """A refresh that is asked to stop says so; the next one does the rest."""
    with older():
        _load(tmp_path / "m", *_files(tmp_path / "in"))
    drain = Drain()
    drain.ask()
    report = run_refresh(LoadSettings(tmp_path / "m", "any"), "medication", drain)
    assert (report.as_dict()["status"], report.refreshed) == ("drained", 0)
    assert _refresh(tmp_path / "m").refreshed == 8


def test_what_cannot_be_refreshed(tmp_path: Path) -> None:
    """Unknown names, `resource`, marts that are not there; a table without rows is nothing to do."""
    _load(tmp_path / "m", write(tmp_path / "a.ndjson", medication("a")))
    for name, said in (("medicine", "no table"), ("resource", "nothing to refresh")):
        with pytest.raises(UsageError, match=said):
            _refresh(tmp_path / "m", name)
    with pytest.raises(UsageError, match="no mart"):
        _refresh(tmp_path / "n")
    assert _refresh(tmp_path / "m", "patient").as_dict()["status"] == "ok"
