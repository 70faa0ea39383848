"""The snapshot of FHIR R4 is what the tool makes of the official schema: nobody edits it by hand."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

pytestmark = pytest.mark.conformance

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("CLINMART_SHARED", ROOT.parent / "shared"))
SCHEMA = SHARED / "data" / "fhir-r4" / "fhir.schema.json.gz"


def test_snapshot_is_made_by_the_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Running the tool again changes nothing."""
    if not SCHEMA.exists():
        pytest.skip(f"no R4 schema at {SCHEMA}; set CLINMART_SHARED")
    spec = importlib.util.spec_from_file_location("fhir_types_tool", ROOT / "tools" / "fhir_types.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    monkeypatch.setattr(tool, "TARGET", tmp_path / "fhir_r4.json")
    tool.main(str(SCHEMA))
    assert (tmp_path / "fhir_r4.json").read_text() == (ROOT / "schemas" / "fhir_r4.json").read_text()
