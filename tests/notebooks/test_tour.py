"""The tour runs from top to bottom on a mart of the sample, and holds no output that is not of it."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from flows.runner import run_load
from flows.settings import LoadSettings
from sources.files import FileSource

ROOT = Path(__file__).parents[2]
TOUR = ROOT / "notebooks" / "tour.ipynb"


@pytest.mark.integration
def test_the_tour_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell, in a kernel of its own; its assertions are of the mart."""
    mart = tmp_path / "mart.duckdb"
    run_load(FileSource([str(ROOT / "data" / "sample")]), LoadSettings(mart, "demo"))
    monkeypatch.setenv("CLINMART_MART", str(mart))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "matplotlib"))
    notebook = nbformat.read(TOUR, as_version=4)
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    told = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.outputs]
    assert len(told) >= 9
    assert any("image/png" in output.get("data", {}) for cell in told for output in cell.outputs)


def test_its_outputs_are_kept() -> None:
    """The notebook as it stands in the repository was run, without an error and without a path of a machine."""
    notebook = nbformat.read(TOUR, as_version=4)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert outputs
    assert not [output for output in outputs if output.output_type == "error"]
    assert "/home/" not in str(outputs)
    assert "/tmp/" not in str(outputs)
