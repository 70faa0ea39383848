"""Publishing Parquet from the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from tests.flows.inputs import Outcome, medication, write


def test_publish(clinmart: Callable[..., Outcome], tmp_path: Path) -> None:
    """Tables become files; the folder is replaced as a whole, a foreign one and another format are refused."""
    mart, out = tmp_path / "m", tmp_path / "out"
    lines = write(tmp_path / "in.ndjson", medication("a"), medication("b"))
    clinmart("load", lines, "--mart", mart, "--source", "s")
    for _ in range(2):
        outcome = clinmart("publish", "--mart", mart, "--to", "parquet", out, "--json")
        assert outcome.code == 0
        assert outcome.json == {"folder": str(out), "tables": {"medication": 2}}
        assert pl.read_parquet(out / "medication.parquet")["id"].sort().to_list() == ["a", "b"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine")
    refused = clinmart("publish", "--mart", mart, "--to", "parquet", tmp_path / "mine")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert (tmp_path / "mine" / "file").read_text() == "mine"
    other = clinmart("publish", "--mart", mart, "--to", "csv", tmp_path / "new")
    assert (other.code, other.err.count("\n")) == (2, 1)
    assert not (tmp_path / "new").exists()
