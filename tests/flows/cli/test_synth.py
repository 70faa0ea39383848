"""Synthetic data from the command line, and what a load makes of its planted faults."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flows.inputs import Outcome, query

Clinmart = Callable[..., Outcome]


def test_dirty_lines_are_refused_for_their_reason(clinmart: Clinmart, tmp_path: Path) -> None:
    """A load quarantines exactly the lines that faults.csv names, each with exactly its reason, and no other."""
    folder, mart = tmp_path / "in", tmp_path / "m"
    made = clinmart("synth", folder, "--patients", 30, "--dirty", 0.07, "--json").json
    with (folder / "faults.csv").open() as file:
        planted = {(row["file"], int(row["line"])): row["reason"] for row in csv.DictReader(file)}
    assert len(planted) == sum(made["faults"].values()) > 100
    outcome = clinmart("load", folder, "--mart", mart, "--source", "s", "--json", "--sample", 0)
    assert outcome.code == 3
    refused = query(mart, "SELECT parse_filename(uri), line, reason FROM etl.quarantine")
    found = {(file, line): reason for file, line, reason in refused}
    assert len(found) == len(refused)
    assert found == planted
    total = Counter[str]()
    for counts in outcome.json["resources"].values():
        total.update(counts)
    assert total["read"] == made["resources"]
    assert total["quarantined"] == len(planted)


def test_clean_data_is_taken_whole(clinmart: Clinmart, tmp_path: Path) -> None:
    """Without faults every line goes in; the same seed gives the same bytes; Bundles give the same current rows."""
    for name, more in (("one", ()), ("two", ()), ("bundles", ("--bundles",))):
        assert clinmart("synth", tmp_path / name, "--patients", 2, "--seed", 5, *more).code == 0
    files = [{p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("one", "two")]
    assert files[0] == files[1]
    for name in ("one", "bundles"):
        outcome = clinmart("load", tmp_path / name, "--mart", tmp_path / f"{name}.db", "--source", "s", "--json")
        assert outcome.code == 0, outcome
        assert outcome.json["status"] == "ok"
    ids = "SELECT id FROM observation ORDER BY id"
    assert query(tmp_path / "one.db", ids) == query(tmp_path / "bundles.db", ids) != []


@pytest.mark.parametrize(
    "arguments",
    [("--patients", 2, "--size", "1MB"), ("--size", "many"), ("--patients", "-1"), ("--dirty", "2"), ("--patients", 0)],
)
def test_plans_that_make_no_sense(clinmart: Clinmart, tmp_path: Path, arguments: tuple[object, ...]) -> None:
    """Contradictory or impossible wishes are one line, and nothing is written."""
    outcome = clinmart("synth", tmp_path / "in", *arguments)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome
    assert not (tmp_path / "in").exists() or not list((tmp_path / "in").iterdir())


def test_folder_in_use_is_refused(clinmart: Clinmart, tmp_path: Path) -> None:
    """A folder that holds anything is not written to."""
    (tmp_path / "file").write_text("mine")
    outcome = clinmart("synth", tmp_path, "--patients", 1)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
