"""A mart as lazy frames: the mart itself while loads go on, and what was published of it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import polars as pl
import pytest

from flows.notebook import OpenMart, PublishedMart, open_mart
from flows.runner import run_load
from flows.settings import LoadSettings
from schemas.errors import LockedError, UsageError
from schemas.tables import all_tables
from sources.files import FileSource
from stores.mart import Mart
from stores.publish import publish_parquet
from tests.flows.inputs import medication, write


def _observation(identity: str, **more: object) -> bytes:
    resource = {
        "resourceType": "Observation",
        "id": identity,
        "meta": {"lastUpdated": "2024-01-01T00:00:00Z"},
        "status": "final",
        "code": {"text": "x"},
        "effectiveDateTime": "2024-01-01T01:00:00+02:00",
    }
    return json.dumps(resource | more).encode()


@pytest.fixture(scope="module")
def marts(tmp_path_factory: pytest.TempPathFactory) -> tuple[OpenMart, PublishedMart]:
    """A mart of which observation b has a refused version in a later load, and the same mart published."""
    folder = tmp_path_factory.mktemp("notebook")
    mart = folder / "m.duckdb"
    refused = _observation("c", status="no-such-status")
    for name, lines in (
        ("1", [_observation("a"), _observation("b"), refused, medication("m")]),
        ("2", [_observation("b", status="no-such-status"), _observation("c")]),
    ):
        path = write(folder / f"{name}.ndjson", *lines)
        run_load(FileSource([str(path)]), LoadSettings(mart, "s"))
    with Mart(mart).connect(read_only=True) as connection:
        publish_parquet(connection, folder / "out", all_tables())
    opened, published = open_mart(mart), open_mart(folder / "out")
    assert isinstance(opened, OpenMart)
    assert isinstance(published, PublishedMart)
    return opened, published


@pytest.mark.parametrize("which", [0, 1])
def test_frames(marts: tuple[OpenMart, PublishedMart], which: int) -> None:
    """Rows in UTC, with the flag of those whose newer version was refused: not for one refused before it came."""
    mart = marts[which]
    frame = mart["observation"]
    assert frame.collect_schema()["effective_at"] == pl.Datetime("us", "UTC")
    found = frame.select("id", "effective_at", "newer_refused").sort("id").collect()
    assert found["newer_refused"].to_list() == [False, True, False]
    assert found["effective_at"].dt.hour().unique().to_list() == [23]
    assert frame.filter(pl.col("id") != "a").select("id").head(1).collect().height == 1
    assert frame.select(pl.len()).collect().item() == 3
    assert mart.sql("SELECT count(*) AS n FROM observation")["n"].to_list() == [3]
    assert {"observation", "medication"} <= set(mart.tables)
    assert mart["medication"].collect()["newer_refused"].to_list() == [False]


def test_unknown_names(marts: tuple[OpenMart, PublishedMart], tmp_path: Path) -> None:
    """A table that is not there is told with the nearest one, a mart or folder that is none with what to name."""
    for mart in marts:
        with pytest.raises(UsageError, match="did you mean observation"):
            mart["observatoin"]
    with pytest.raises(UsageError, match="there is no mart"):
        open_mart(tmp_path / "none.duckdb")
    with pytest.raises(UsageError, match="not a folder that clinmart published"):
        open_mart(tmp_path)


def test_the_mart_is_free_between_questions(marts: tuple[OpenMart, PublishedMart]) -> None:
    """Another process can write while a frame is there that nobody collects; who collects then waits for it."""
    mart = marts[0]
    frame = mart["observation"].select("id")
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", hold, str(mart.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        assert writer.stdout.readline() == "held\n"
        with pytest.raises(LockedError, match=f"open in process {writer.pid}"):
            open_mart(mart.path, wait=0.0)["observation"]
        threading.Timer(0.3, writer.stdin.close).start()
        assert frame.collect().height == 3
