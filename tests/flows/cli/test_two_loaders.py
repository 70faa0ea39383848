"""Two loaders on one mart at the same time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from stores.lock import loader_lock
from tests.flows.inputs import contents, medication, query, write


def _start(inputs: Path, mart: Path, source: str, *more: object) -> subprocess.Popen[bytes]:
    arguments = ["load", inputs, "--mart", mart, "--source", source, "--sample", 0, "--json", *more]
    command = [sys.executable, "-m", "flows.cli.main", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_both_complete_when_they_wait(tmp_path: Path) -> None:
    """Started at once on a mart that is not there yet: both sources are whole, nothing is doubled, nothing is left."""
    mart, reference = tmp_path / "m", tmp_path / "reference"
    files = {s: write(tmp_path / f"{s}.ndjson", *(medication(f"{s}{n}") for n in range(50)), b"{") for s in "ab"}
    files["c"] = files["b"]  # the same file under another name of a source
    loaders = [_start(file, mart, source, "--wait", 120) for source, file in files.items()]
    loaders.append(_start(files["a"], mart, "a", "--wait", 120))  # and twice the same
    said = [loader.communicate() for loader in loaders]
    assert [loader.returncode for loader in loaders] == [3] * 4, said
    for source, file in files.items():
        loader = _start(file, reference, source)
        loader.communicate()
        assert loader.returncode == 3
    assert contents(mart) == contents(reference)
    assert query(mart, "SELECT source, count(*), count(DISTINCT id) FROM medication GROUP BY 1 ORDER BY 1") == [
        (source, 50, 50) for source in "abc"
    ]
    assert query(mart, "SELECT count(*), count(DISTINCT number) FROM etl.commit") == [(3, 3)]
    assert sorted(p.name for p in tmp_path.glob("m*")) == ["m", "m.audit", "m.keys", "m.lock", "m.tail"]


def test_one_leaves_when_it_does_not_wait(tmp_path: Path) -> None:
    """Without --wait the second leaves with 6 while the first is at work, in one line that names it."""
    mart, file = tmp_path / "m", write(tmp_path / "in.ndjson", medication("a"))
    with loader_lock(mart):
        second = _start(file, mart, "b")
        out, err = second.communicate()
    assert (second.returncode, err.count(b"\n")) == (6, 1)
    assert json.loads(out)["exit_code"] == 6
    assert f"process {os.getpid()}".encode() in err


def test_dead_owner(tmp_path: Path) -> None:
    """A lock file, a staged file and a mart half made, which a dead loader left, are in nobody's way."""
    mart, file = tmp_path / "m", write(tmp_path / "in.ndjson", medication("a"))
    write(tmp_path / "m.lock", b'{"pid": 1, "host": "h", "since": "2024-01-01T00:00:00+00:00"}')
    write(tmp_path / "m.staging" / "dead" / "medication-000001.parquet", b"PAR1")
    write(tmp_path / "m.new", b"half")
    loader = _start(file, mart, "a")
    loader.communicate()
    assert loader.returncode == 0
    assert query(mart, "SELECT count(*) FROM medication") == [(1,)]
    assert sorted(p.name for p in tmp_path.glob("m*")) == ["m", "m.audit", "m.keys", "m.lock", "m.tail"]
