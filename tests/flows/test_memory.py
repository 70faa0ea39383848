"""A commit holds little in memory, however wide the rows are and however many of them are new versions."""

from __future__ import annotations

from pathlib import Path

from flows.runner import run_load
from flows.settings import LoadSettings
from schemas.records import Counts
from sources.files import FileSource
from sources.synth import SynthPlan, write_synth


def test_new_versions_of_every_row_need_no_more_memory_than_the_rows_themselves(tmp_path: Path) -> None:
    """40,000 observations twice, the second time each in a later version, within 200 MB of DuckDB's memory."""
    first, second = tmp_path / "first", tmp_path / "second"
    plan = SynthPlan(patients=50, seed=3, types={"Observation"}, observations=40_000)
    write_synth(plan, first)
    second.mkdir()
    lines = (first / "Observation.000.ndjson").read_bytes()
    (second / "later.ndjson").write_bytes(lines.replace(b'"lastUpdated":"20', b'"lastUpdated":"21'))
    settings = LoadSettings(mart=tmp_path / "m.duckdb", source="s", memory="200MB")
    for folder in (first, second):
        report = run_load(FileSource([str(folder)]), settings)
        assert report.resources == {"Observation": Counts(read=40_000, applied=40_000)}
        assert report.tables["observation"] == 40_000
