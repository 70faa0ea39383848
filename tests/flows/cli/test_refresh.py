"""``clinmart refresh``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.flows.inputs import Outcome, medication, query, write
from tests.flows.test_refresh import older

Clinmart = Callable[..., Outcome]


def test_refresh(clinmart: Clinmart, tmp_path: Path) -> None:
    """What was refreshed, as JSON and for people; files that are gone are named with exit code 4."""
    file, mart = write(tmp_path / "a.ndjson", medication("a", "text")), tmp_path / "m"
    with older():
        assert clinmart("load", file, "--mart", mart, "--source", "s").code == 0
    done = clinmart("refresh", "medication", "--mart", mart, "--json")
    (load,) = query(mart, "SELECT load_id FROM etl.load WHERE kind = 'refresh'")
    assert (done.code, done.json) == (
        0,
        {
            "status": "ok", "table": "medication", "refreshed": 1, "left": 0, "messages": 0, "refused": 0,
                "missing": [],
            "loads": [load[0]],
        },
    )  # fmt: skip
    assert query(mart, "SELECT code_text FROM medication") == [("text",)]
    file.unlink()
    gone = clinmart("refresh", "medication", "--mart", mart)
    assert (gone.code, gone.err.count("\n")) == (4, 1)
    assert str(file) in gone.err
    assert b"1 left as they were" in gone.out


def test_refresh_of_nothing(clinmart: Clinmart, tmp_path: Path) -> None:
    """A name that is no table is said in one line."""
    clinmart("load", write(tmp_path / "a.ndjson", medication("a")), "--mart", tmp_path / "m", "--source", "s")
    outcome = clinmart("refresh", "medicine", "--mart", tmp_path / "m")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "medicine" in outcome.err
