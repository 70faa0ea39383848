"""``clinmart view drop``: a view that was added leaves a mart, with all that is its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flows.cli.main import main
from stores.lock import loader_lock

Command = Callable[..., tuple[int, str, str]]
GOOD = {"resourceType": "Patient", "id": "a", "birthDate": "2001-02-03"}
EVERYTHING = "SELECT table_schema, table_name FROM information_schema.tables ORDER BY ALL"
BAD = {"resourceType": "Patient", "id": "b", "extension": [{"url": "u", "valueDate": "2001-02-31"}]}


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


def add(clinmart: Command, name: str) -> None:
    """Add a view that refuses one of the two patients."""
    path = "extension('u').value.ofType(date).first()"
    column = [{"name": "born", "path": "birthDate", "type": "date"}, {"name": "said", "path": path, "type": "date"}]
    view = {"resourceType": "ViewDefinition", "name": name, "resource": "Patient", "status": "active"}
    Path("view.json").write_text(json.dumps(view | {"select": [{"column": column}]}))
    assert clinmart("view", "add", "view.json", "--mart", "m")[0] == 0


def load(clinmart: Command) -> int:
    """Load both patients; the exit code."""
    Path("in.ndjson").write_text("".join(json.dumps(one) + "\n" for one in (GOOD, BAD)))
    return clinmart("load", "in.ndjson", "--mart", "m", "--source", "s", "--json")[0]


def rows(query: str) -> list[tuple[Any, ...]]:
    """What the mart says."""
    with duckdb.connect("m", read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_all_that_is_its_own_goes_and_all_else_stays(clinmart: Command) -> None:
    """Table, definition and quarantine of the view are gone; another view and the patients are not."""
    add(clinmart, "going")
    add(clinmart, "staying")
    assert load(clinmart) == 3
    assert rows("SELECT count(*) FROM etl.quarantine") == [(2,)]
    code, out, _ = clinmart("view", "drop", "GOING", "--mart", "m")
    assert (code, out) == (0, "going is dropped from m: its table had 1 row, and 1 line that only it refused\n")
    assert rows("SELECT name FROM etl.view") == [("staying",)]
    assert rows("SELECT check_name FROM etl.quarantine") == [("view staying",)]
    names = "SELECT table_name FROM information_schema.tables WHERE table_name IN ('going', 'staying')"
    assert rows(names) == [("staying",)]
    assert rows("SELECT count(*) FROM patient") == [(2,)]
    assert rows("SELECT born FROM staying") == [("2001-02-03",)]


def test_loads_go_on_without_it_and_fill_it_when_it_is_added_again(clinmart: Command) -> None:
    """The same file gives the same rows, and the same refusal, to the view that comes back."""
    add(clinmart, "results")
    assert load(clinmart) == 3
    before = rows("SELECT * EXCLUDE (load_id) FROM results")
    assert clinmart("view", "drop", "results", "--mart", "m")[0] == 0
    assert load(clinmart) == 0
    add(clinmart, "results")
    assert rows("SELECT count(*) FROM results") == [(0,)]
    assert load(clinmart) == 3
    assert rows("SELECT * EXCLUDE (load_id) FROM results") == before
    assert rows("SELECT state FROM etl.quarantine") == [("open",)]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("patient", "'patient' is no view that was added, but a table that every mart has: it cannot be dropped"),
        ("lab", "'lab' is no view that was added, but a table that every mart has: it cannot be dropped"),
        ("result", "the mart has no view called 'result': did you mean results?"),
        ("x", "the mart has no view called 'x': there are: results"),
    ],
)
def test_what_is_no_view_is_refused(clinmart: Command, name: str, said: str) -> None:
    """Tables of the mart cannot be dropped, nor what is not there; the message says what there is."""
    add(clinmart, "results")
    before = rows(EVERYTHING)
    code, _, err = clinmart("view", "drop", name, "--mart", "m")
    assert code == 2
    assert said in " ".join(err.split())
    assert before == rows(EVERYTHING)


def test_a_mart_that_is_not_there_is_not_made(clinmart: Command) -> None:
    """A mistaken path is told, and leaves no file."""
    code, _, err = clinmart("view", "drop", "results", "--mart", "m")
    assert (code, Path("m").exists()) == (2, False)
    assert "there is no mart m" in err


def test_a_mart_that_a_load_holds_is_left_alone(clinmart: Command) -> None:
    """While another process loads, the view stays, and the exit code says why."""
    add(clinmart, "results")
    with loader_lock(Path("m")):
        assert clinmart("view", "drop", "results", "--mart", "m")[0] == 6
    assert rows("SELECT name FROM etl.view") == [("results",)]
