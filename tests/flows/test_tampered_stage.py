"""Somebody writes into the staging area while a load runs: nothing of the commit is loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.runner import run_load
from flows.settings import LoadSettings
from schemas.errors import IntegrityError
from schemas.staged import StagedUnit
from sources.memory import MemorySource
from stores.commit import commit
from stores.keys import Purpose, open_keys
from stores.staging import Stage
from tests.flows.inputs import medication, query

FILES = {f"{name}.ndjson": medication(name) + b"\n" for name in "abc"}


def _flip(place: Callable[[int], int], unit: StagedUnit) -> None:
    path = Path(unit.tables[0].path)
    data = bytearray(path.read_bytes())
    data[place(len(data))] ^= 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize("place", [lambda _: 0, lambda n: n // 2, lambda n: n - 6], ids=["header", "body", "footer"])
@pytest.mark.parametrize("when", ["before the check", "after the check"])
def test_a_flipped_byte_is_not_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str, place: Callable[[int], int]
) -> None:
    """Exit code 4, no row, no receipt, no stage; the same load again is whole."""
    verify = Stage.verify

    def verified(stage: Stage, unit: StagedUnit) -> Any:
        _flip(place, unit)
        return verify(stage, unit)

    def committed(connection: Any, unit: StagedUnit, *rest: Any) -> Any:
        _flip(place, unit)
        return commit(connection, unit, *rest)

    with monkeypatch.context() as patch:
        if when == "before the check":
            patch.setattr(Stage, "verify", verified)
        else:
            patch.setattr("flows.session.commit", committed)
        with pytest.raises(IntegrityError, match="is not what was written") as told:
            run_load(MemorySource(FILES), LoadSettings(tmp_path / "m", "s"))
    assert told.value.exit_code == 4
    assert query(tmp_path / "m", "SELECT count(*) FROM medication") == [(0,)]
    assert query(tmp_path / "m", "SELECT count(*) FROM etl.receipt") == [(0,)]
    assert not list(tmp_path.glob("*.staging"))
    assert run_load(MemorySource(FILES), LoadSettings(tmp_path / "m", "s")).total().applied == 3


def test_a_rotation_in_mid_run_changes_nothing(tmp_path: Path) -> None:
    """Each file by another key, all of them in the mart."""
    keys = open_keys(None, tmp_path / "m", create=True)
    report = run_load(
        MemorySource(FILES), LoadSettings(tmp_path / "m", "s", unit_bytes=1), lambda _: keys.rotate(Purpose.SIGN)
    )
    assert report.total().applied == 3
    assert sum(facts.purpose is Purpose.SIGN for facts in keys.describe()) > 3
