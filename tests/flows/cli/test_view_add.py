"""``clinmart view add``: a view as a table of a mart, filled by loads."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from flows.cli.main import main
from flows.runner import run_load
from flows.settings import LoadSettings
from sources.files import FileSource
from sources.synth import SynthPlan, write_synth

RESULTS = (
    {"name": "code", "path": "code.coding.code.first()", "type": "code"},
    {"name": "effective", "path": "effective.ofType(dateTime)", "type": "dateTime"},
    {"name": "value", "path": "value.ofType(Quantity).value", "type": "decimal"},
    {"name": "note", "path": "note.text", "type": "string"},
    {"name": "issued", "path": "issued", "type": "instant"},
)
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def clinmart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run ``clinmart ...`` in an empty folder: exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["clinmart", *arguments])
        code = 0
        try:
            main()
        except SystemExit as left:
            code = int(left.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def view(select: Mapping[str, Any], name: str | None = "results", resource: str = "Observation") -> str:
    """Write a view; the name of its file."""
    document = {"resourceType": "ViewDefinition", "resource": resource, "status": "active", "select": [select]}
    Path("view.json").write_text(json.dumps(document | ({"name": name} if name else {})))
    return "view.json"


def observation(ident: str = "a", version: int = 1, **more: Any) -> dict[str, Any]:
    """A sound Observation."""
    meta = {"versionId": str(version), "lastUpdated": f"2024-01-{version:02d}T00:00:00Z"}
    code = {"coding": [{"system": "http://loinc.org", "code": f"c{version}"}]}
    return {"resourceType": "Observation", "id": ident, "meta": meta, "status": "final", "code": code} | more


def written(name: str, *resources: Mapping[str, Any] | str) -> str:
    """Write resources; the name of the file."""
    lines = [r if isinstance(r, str) else json.dumps(r) for r in resources]
    Path(name).write_text("".join(f"{line}\n" for line in lines))
    return name


def rows(query: str) -> list[tuple[Any, ...]]:
    """What the mart says."""
    with duckdb.connect("m", read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_the_table_has_the_rows_of_the_view(clinmart: Command, tmp_path: Path) -> None:
    """Of a synthetic export, all that `view run` gives, for two views of different types of rows."""
    write_synth(SynthPlan(patients=4, seed=5, types={"Observation", "Patient"}), tmp_path / "in")
    each = {
        "forEach": "code.coding",
        "column": [{"name": "code", "path": "code"}, {"name": "place", "path": "%rowIndex", "type": "integer"}],
    }
    whole = {"column": [{"name": "ident", "path": "getResourceKey()", "type": "id"}, *RESULTS[:3]]}
    for name, select in (("results", whole), ("codings", each)):
        assert clinmart("view", "add", view(select, name), "--mart", "m")[0] == 0
        assert clinmart("view", "run", "view.json", "in", "--format", "parquet", "--out", f"{name}.parquet")[0] == 0
    assert clinmart("load", "in", "--mart", "m", "--source", "s", "--json")[0] == 0
    columns = "ident, code, effective, CAST(value AS DOUBLE) AS value"
    for name, said in (("results", columns), ("codings", "code, place")):
        found = sorted(rows(f"SELECT {said} FROM {name}"), key=repr)
        assert found == sorted(pl.read_parquet(f"{name}.parquet").rows(), key=repr)
        assert len(found) > 100
    joined = rows("SELECT count(*) FROM results r JOIN observation o ON (r.source, r.resource_id) = (o.source, o.id)")
    assert joined == rows("SELECT count(*) FROM observation")


def test_types_and_the_number_of_a_row(clinmart: Command) -> None:
    """Decimals keep their digits, instants have a type, rows of a resource are numbered in their order."""
    notes = {"forEach": "note", "column": [RESULTS[3] | {"path": "text"}]}
    select = {"column": [RESULTS[2], RESULTS[4]], "select": [notes]}
    clinmart("view", "add", view(select), "--mart", "m")
    more = {"valueQuantity": {"value": "1.10"}, "issued": "2024-01-01T01:00:00.5+01:00"}
    line = json.dumps(observation(note=[{"text": "y"}, {"text": "x"}], **more)).replace('"1.10"', "1.10")
    assert clinmart("load", written("a.ndjson", line), "--mart", "m", "--source", "s")[0] == 0
    found = rows("SELECT row_number, value, note, epoch_ms(issued) FROM results ORDER BY row_number")
    assert found == [(1, "1.10", "y", 1704067200500), (2, "1.10", "x", 1704067200500)]


def test_any_order_of_versions_gives_the_same_table(clinmart: Command, tmp_path: Path) -> None:
    """New versions replace the rows, late ones change nothing, a version without rows takes them away."""
    select = {"forEach": "note", "column": [{"name": "note", "path": "text"}]}
    files = [
        written("1.ndjson", observation(version=1, note=[{"text": "one"}, {"text": "two"}]), observation("b")),
        written("2.ndjson", observation(version=2, note=[{"text": "three"}])),
        written("3.ndjson", observation("b", 3, note=[{"text": "four"}]), observation("b", note=[{"text": "no"}])),
        written("4.ndjson", observation("c", 2), observation("c", 1, note=[{"text": "gone"}])),
    ]
    seen = set()
    for number, order in enumerate(itertools.islice(itertools.permutations(files), 0, None, 5)):
        mart = f"m{number}"
        clinmart("view", "add", view(select), "--mart", mart)
        for file in (*order, order[0]):
            run_load(FileSource([file]), LoadSettings(Path(mart), "s"))
        with duckdb.connect(mart) as connection:
            found = connection.execute("SELECT resource_id, row_number, note FROM results ORDER BY ALL").fetchall()
        seen.add(tuple(found))
    assert seen == {(("a", 1, "three"), ("b", 1, "four"))}


def test_files_loaded_before_are_read_again(clinmart: Command) -> None:
    """A view added later is filled from the same files, and nothing else changes."""
    file = written("a.ndjson", observation(), observation("b"))
    clinmart("load", file, "--mart", "m", "--source", "s")
    clinmart("view", "add", view({"column": [RESULTS[0]]}), "--mart", "m")
    assert rows("SELECT * FROM results") == []
    for _ in range(2):
        code, out, _ = clinmart("load", file, "--mart", "m", "--source", "s", "--json")
        assert (code, json.loads(out)["resources"]["Observation"]["duplicate"]) == (0, 2)
        assert rows("SELECT resource_id, code FROM results ORDER BY 1") == [("a", "c1"), ("b", "c1")]
    assert rows("SELECT count(*) FROM history.observation") == [(0,)]


def test_a_type_without_a_table(clinmart: Command) -> None:
    """Its resources stand in ``resource``; the view is filled all the same."""
    clinmart("view", "add", view({"column": [{"name": "title", "path": "title"}]}, resource="Library"), "--mart", "m")
    library = {"resourceType": "Library", "id": "x", "status": "active", "type": {"text": "t"}, "title": "T"}
    other = {"resourceType": "Basic", "id": "x", "code": {"text": "t"}}
    clinmart("load", written("a.ndjson", library, other), "--mart", "m", "--source", "s")
    assert rows("SELECT resource_id, title FROM results") == [("x", "T")]


def test_what_only_the_view_refuses_is_in_the_quarantine_and_in_the_table(clinmart: Command) -> None:
    """Each resource alone; the others have their rows, and the report counts the refused ones by view."""
    effective = RESULTS[1] | {"path": "extension('u').value.ofType(dateTime)"}
    clinmart("view", "add", view({"column": [RESULTS[0], effective, RESULTS[3]]}), "--mart", "m")
    bad = [
        observation("several", note=[{"text": "a"}, {"text": "b"}]),
        observation("day", extension=[{"url": "u", "valueDateTime": "2024-02-30"}]),
        observation("blank", code={"coding": [{"code": " c"}]}),
    ]
    good = [observation(f"g{i}", note=[{"text": "n"}]) for i in range(5000)]
    file = written("a.ndjson", *good[:2500], *bad, *good[2500:])
    code, out, err = clinmart("load", file, "--mart", "m", "--source", "s", "--json")
    assert out, err
    report = json.loads(out)
    assert (code, report["status"], report["views"]) == (3, "quarantined", {"results": {"refused": 3}})
    counts = report["resources"]["Observation"]
    assert (counts["read"], counts["applied"], counts["quarantined"]) == (5003, 5003, 0)
    assert rows("SELECT count(*) FROM results") == [(5000,)]
    found = rows("SELECT resource_id, reason, column_name, check_name FROM etl.quarantine ORDER BY line")
    assert found == [
        ("several", "view_violated", "results", "view results"),
        ("day", "invalid_time", "results.effective", "view results"),
        ("blank", "invalid_format", "results.code", "view results"),
    ]
    assert "2024-02-30" not in out + err


def test_a_view_does_not_change_when_rows_were_seen(clinmart: Command) -> None:
    """Rows without `meta` keep the time at which they were first read when they are read again for a view."""
    bare = {k: v for k, v in observation().items() if k != "meta"}
    old = written("old.ndjson", bare | {"code": {"text": "old"}})
    new = written("new.ndjson", bare | {"code": {"text": "new"}})
    for file in (old, new):
        clinmart("load", file, "--mart", "m", "--source", "s")
    clinmart("view", "add", view({"column": [{"name": "text", "path": "code.text"}]}), "--mart", "m")
    for files in ((old,), (new, old)):
        code, out, _ = clinmart("load", *files, "--mart", "m", "--source", "s", "--json")
        assert (code, json.loads(out)["resources"]["Observation"]["duplicate"]) == (0, len(files))
        assert rows("SELECT code_text FROM observation") == [("new",)]
    assert rows("SELECT text FROM results") == [("new",)]
    assert rows("SELECT count(*) FROM etl.receipt") == [(2,)]


def test_a_text_cannot_pass_for_an_error_of_the_view(clinmart: Command) -> None:
    """What DuckDB says of a value names no row, and is not told."""
    instant = RESULTS[4] | {"path": "extension('u').value.ofType(instant)"}
    clinmart("view", "add", view({"column": [instant, RESULTS[3]]}), "--mart", "m")
    for number, said in enumerate(("JOHN DOE ~line 1", "JOHN DOE ~line 9", "infinity", "2024-01-01", "epoch")):
        bad = observation(f"bad{number}", extension=[{"url": "u", "valueInstant": said}])
        file = written(f"{number}.ndjson", observation(f"good{number}"), bad)
        assert clinmart("load", file, "--mart", "m", "--source", "s")[0] == 3
    assert rows("SELECT count(*), count(DISTINCT resource_id) FROM results") == [(5, 5)]
    found = rows("SELECT resource_id, reason, message FROM etl.quarantine ORDER BY 1")
    assert [(ident, reason) for ident, reason, _ in found] == [(f"bad{n}", "invalid_time") for n in range(5)]
    assert not [said for *_, said in found if "JOHN" in said]


@pytest.mark.parametrize("name", ["chosen", "incoming", "verdict", "revived", "rows", "x" * 250])
def test_any_name_of_a_table_does(clinmart: Command, name: str) -> None:
    """None hides behind a table that a commit needs for itself."""
    assert clinmart("view", "add", view({"column": [RESULTS[0]]}, name), "--mart", "m")[0] == 0
    for version in (1, 2):
        file = written(f"{version}.ndjson", observation("a", version))
        assert clinmart("load", file, "--mart", "m", "--source", "s")[0] == 0
    assert rows(f"SELECT code FROM {name}") == [("c2",)]


def test_many_refused_resources_take_no_longer(clinmart: Command) -> None:
    """They are found by one more query, not one by one; the same load again says them again."""
    clinmart("view", "add", view({"column": [RESULTS[3]]}), "--mart", "m")
    several = [observation(f"o{i}", note=[{"text": "a"}, {"text": "b"}]) for i in range(20_000)]
    file = written("a.ndjson", *several, observation("good", note=[{"text": "n"}]))
    for _ in range(2):
        code, out, _ = clinmart("load", file, "--mart", "m", "--source", "s", "--sample", "0", "--json")
        report = json.loads(out)
        assert (code, report["status"], report["views"]) == (3, "quarantined", {"results": {"refused": 20_000}})
        assert report["seconds"] < 30
    assert rows("SELECT resource_id, note FROM results") == [("good", "n")]
    said = rows("SELECT DISTINCT message FROM etl.quarantine")
    assert said == [("path note.text: more than one item where one is expected",)]


def test_strict_says_that_a_view_refuses(clinmart: Command) -> None:
    """All or nothing, with the reason."""
    clinmart("view", "add", view({"column": [RESULTS[3]]}), "--mart", "m")
    file = written("a.ndjson", observation(note=[{"text": "a"}, {"text": "b"}]))
    code, _, err = clinmart("load", file, "--mart", "m", "--source", "s", "--strict")
    assert code == 4
    assert "1 line would be refused" in err
    assert rows("SELECT count(*) FROM observation") == [(0,)]


@pytest.mark.parametrize(
    ("select", "name", "said"),
    [
        ({"column": [RESULTS[0]]}, None, "has no name"),
        ({"column": [RESULTS[0]]}, "observation", "'observation' already"),
        ({"column": [RESULTS[0]]}, "Observation_Component", "'Observation_Component' already"),
        ({"column": [RESULTS[0]]}, "select", "'select' is a word of SQL"),
        ({"column": [RESULTS[0] | {"name": "group"}]}, "v", "'group' is a word of SQL"),
        ({"column": [RESULTS[0] | {"name": "Resource_Id"}]}, "v", "a column 'Resource_Id' of its own"),
        ({"column": [RESULTS[0] | {"path": "cod"}]}, "v", "code"),
        ({"column": [RESULTS[0], RESULTS[3] | {"name": "CODE"}]}, "v", "differ only in case"),
    ],
)
def test_a_view_that_cannot_be_added(clinmart: Command, select: dict[str, Any], name: str | None, said: str) -> None:
    """One line, exit code 2, and the mart is as before."""
    code, out, err = clinmart("view", "add", view(select, name), "--mart", "m")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
    if Path("m").exists():
        assert rows("SELECT * FROM etl.view") == []
