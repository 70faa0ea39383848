"""The read cursor moves when all files of a type are accounted for, and never back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.runner import run_load
from flows.settings import LoadSettings
from schemas.errors import StorageError
from sources.memory import MemorySource
from tests.flows.inputs import medication, query
from transforms.sample import Sampling

BASIC = b'{"resourceType":"Basic","id":"b"}\n'


def _export(day: int, **more: object) -> dict[str, bytes]:
    files = {"m1.ndjson": medication(f"m{day}") + b"\n", "m2.ndjson": medication(f"n{day}"), "b.ndjson": BASIC}
    output = [{"type": "Basic" if name == "b.ndjson" else "Medication", "url": name} for name in files]
    time = f"2024-01-{day:02d}T00:00:00Z"
    return files | {"manifest.json": json.dumps({"transactionTime": time, "output": output, **more}).encode()}


def _load(folder: Path, files: dict[str, bytes], **more: object) -> dict[str, int | None]:
    settings = LoadSettings(folder / "m", "s", sampling=Sampling(0), **more)  # type: ignore[arg-type] # any field
    run_load(MemorySource(files), settings)
    return dict(query(folder / "m", "SELECT resource_type, day(read_cursor) FROM etl.watermark"))


def test_moves_with_whole_exports(tmp_path: Path) -> None:
    """By type, forward only; known files count, and so do those without a resource."""
    assert _load(tmp_path, _export(5)) == {"Medication": 5, "Basic": 5}
    assert _load(tmp_path, _export(3)) == {"Medication": 5, "Basic": 5}
    assert _load(tmp_path, _export(9) | {"m1.ndjson": b""}) == {"Medication": 9, "Basic": 9}


def test_damaged_file_holds_its_type(tmp_path: Path) -> None:
    """A file that was refused holds the cursor of its type; one that comes whole lets it go."""
    damaged = _export(5)
    damaged["m2.ndjson.gz"] = b"\x1f\x8b cut"
    del damaged["m2.ndjson"]
    assert _load(tmp_path, damaged) == {"Medication": None, "Basic": 5}
    assert _load(tmp_path, _export(5)) == {"Medication": 5, "Basic": 5}


def test_errors_and_deletes_hold_all(tmp_path: Path) -> None:
    """A manifest that lists errors, or of which deletes are damaged, moves nothing."""
    assert _load(tmp_path, _export(5, error=[{"url": "e.ndjson"}]) | {"e.ndjson": b"{}"}).get("Medication") is None
    more = _export(6, deleted=[{"type": "Bundle", "url": "gone.ndjson"}]) | {"gone.ndjson.gz": b"\x1f\x8b cut"}
    assert _load(tmp_path, more).get("Medication") is None


def test_rolled_back_commit_moves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the run after it is judged as the one that failed."""
    import duckdb

    def fails(*_: object) -> None:
        raise duckdb.OutOfMemoryException("no room")

    with monkeypatch.context() as patch, pytest.raises(StorageError):
        patch.setattr("flows.session.commit", fails)
        _load(tmp_path, _export(5))
    assert query(tmp_path / "m", "SELECT count(*) FROM etl.watermark") == [(0,)]
    strict = _export(7) | {"m2.ndjson": b"{"}
    assert _load(tmp_path, strict, strict=True) == {}
    assert _load(tmp_path, _export(5)) == {"Medication": 5, "Basic": 5}
