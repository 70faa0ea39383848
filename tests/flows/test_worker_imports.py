"""What a load of FHIR imports before it reads."""

from __future__ import annotations

import subprocess
import sys

_STEPS = ["transforms.messages", "transforms.documents", "transforms.extracts"]
_OTHERS = ["pandera", "lxml", "pyarrow.compute", "pyarrow.parquet", "httpx", *_STEPS]
_NEEDED = "flows.runner, flows.landing_checks, sources.files"
_LOOK = f"import sys, {_NEEDED}; print(sorted(set({_OTHERS!r}) & set(sys.modules)))"


def test_what_only_other_formats_or_refused_rows_need_is_late() -> None:
    """Together they take as long to import as a small load takes to read its rows."""
    ran = subprocess.run([sys.executable, "-c", _LOOK], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
