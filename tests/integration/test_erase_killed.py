"""`clinmart erase` killed with SIGKILL: the mart is the old one whole or the new one whole."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flows.erase import EraseRequest, erase
from stores.people import Asked
from tests.flows.erased_world import run
from tests.flows.inputs import query, write

SCRIPT = """
import os, signal, sys
from importlib import import_module
from pathlib import Path
from flows.erase import EraseRequest, erase
from stores.people import Asked
module, name = sys.argv[2].rsplit(".", 1)
setattr(import_module(module), name, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
erase(EraseRequest(Path(sys.argv[1]), [Asked(id="her", source="s")], "r"))
"""


@pytest.fixture(scope="module")
def mart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mart of two patients."""
    folder = tmp_path_factory.mktemp("killed")
    lines = [json.dumps({"resourceType": "Patient", "id": one}).encode() for one in ("her", "other")]
    write(folder / "p.ndjson", *lines)
    assert run("load", folder / "p.ndjson", "--mart", folder / "m.duckdb", "--source", "s")[0] == 0
    return folder / "m.duckdb"


@pytest.mark.integration
@pytest.mark.parametrize(
    ("step", "left"),
    [
        ("flows.erase.detach", ["her", "other"]),  # the new file is written
        ("flows.erase.put_in_place", ["her", "other"]),
        ("stores.rewrite.sync_folder", ["other"]),  # it is in place, and what is left behind is not cleared
    ],
)
def test_killed(mart: Path, tmp_path: Path, step: str, left: list[str]) -> None:
    """And the same command again ends it."""
    copy = tmp_path / "m.duckdb"
    shutil.copytree(mart.parent, tmp_path, dirs_exist_ok=True)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", SCRIPT, copy, step], env=environment, check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL
    assert [one for (one,) in query(copy, "SELECT id FROM patient ORDER BY 1")] == left
    code, report, _ = run("load", mart.parent / "p.ndjson", "--mart", copy, "--source", "s")
    assert (code, report["resources"]["Patient"]["suppressed"]) == (0, 1)
    if "her" in left:
        done_now = erase(EraseRequest(copy, [Asked(id="her", source="s")], "r"))
        assert done_now.status == "done"
    assert [one for (one,) in query(copy, "SELECT id FROM patient ORDER BY 1")] == ["other"]
    assert query(copy, "SELECT status FROM etl.erasure") == [("done",)]
