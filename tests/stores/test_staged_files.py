"""Staged files that somebody alters between their writer and the commit."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from schemas.errors import IntegrityError
from schemas.staged import StagedChunk, StagedUnit
from stores.keys import Keys, Purpose, open_keys
from stores.staging import Stage

_FRAME = pl.DataFrame({"id": ["a", "b", "c"], "text": ["x" * 50, "y", None]})


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return open_keys(None, tmp_path / "mart", create=True)


@pytest.fixture
def stage(tmp_path: Path, keys: Keys) -> Stage:
    return Stage(tmp_path / "mart", "load", keys)


def _unit(*stages: Stage) -> StagedUnit:
    """Three files of each."""
    unit = StagedUnit()
    for stage in stages:
        unit.take(stage.sign(StagedChunk(tables=stage.write_tables({"t": _FRAME, "u": _FRAME}))))
        unit.take(stage.sign(StagedChunk(fhir=stage.write_fhir([("Patient", b"{}\n")]))))
    return unit


def _flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def _swap(one: Path, other: Path) -> None:
    aside = one.with_suffix(".aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


_DAMAGE: dict[str, Callable[[Path, Path], object]] = {
    "header": lambda one, _: _flip(one, 0),
    "body": lambda one, _: _flip(one, one.stat().st_size // 2),
    "footer": lambda one, _: _flip(one, -6),
    "end": lambda one, _: _flip(one, -1),
    "cut": lambda one, _: os.truncate(one, one.stat().st_size - 1),
    "empty": lambda one, _: os.truncate(one, 0),
    "longer": lambda one, _: one.write_bytes(one.read_bytes() + b"\0"),
    "gone": lambda one, _: one.unlink(),
    "swapped": _swap,
    "another": lambda one, other: one.write_bytes(other.read_bytes()),
}


def test_what_was_written_is_verified(stage: Stage, keys: Keys) -> None:
    """Also after a rotation in the middle: half by the old key, half by the new."""
    unit = _unit(stage)
    keys.rotate(Purpose.SIGN)
    unit.take(_unit(stage))
    assert len({signature.key_id for signature in unit.signatures.values()}) == 2
    assert set(unit.signatures) == set(unit.paths)
    stage.verify(unit).must_hold()


@pytest.mark.parametrize("damage", _DAMAGE)
def test_damage_before_the_commit_is_found(stage: Stage, damage: str) -> None:
    """Any class of place in the file, and whole files."""
    unit = _unit(stage)
    one, other, *_ = map(Path, unit.paths)
    _DAMAGE[damage](one, other)
    with pytest.raises(IntegrityError, match="is not what was written: nothing of this commit is loaded"):
        stage.verify(unit)


@pytest.mark.parametrize("damage", _DAMAGE)
def test_damage_after_the_check_is_found(stage: Stage, damage: str) -> None:
    """Once verified, a file that is written to, replaced or removed is not what it was."""
    unit = _unit(stage)
    one, other, *_ = map(Path, unit.paths)
    verified = stage.verify(unit)
    _DAMAGE[damage](one, other)
    with pytest.raises(IntegrityError, match="is not what was written"):
        verified.must_hold()


def test_a_file_of_another_load_does_not_fit(tmp_path: Path, stage: Stage, keys: Keys) -> None:
    """Though it has the same name and was signed by the same key."""
    other = _unit(Stage(tmp_path / "mart", "other", keys))
    unit = _unit(stage)
    for mine, theirs in zip(unit.paths, other.paths, strict=True):
        assert Path(mine).name == Path(theirs).name
        Path(mine).write_bytes(Path(theirs).read_bytes())
        unit.signatures[mine] = other.signatures[theirs]
    with pytest.raises(IntegrityError, match="is not what was written"):
        stage.verify(unit)


def test_an_unsigned_file_is_not_taken(tmp_path: Path, stage: Stage) -> None:
    """Whoever wrote it; nor one by a key that the keyring does not have, or that was destroyed."""
    unit = _unit(stage)
    del unit.signatures[unit.paths[0]]
    with pytest.raises(IntegrityError, match="has no signature"):
        stage.verify(unit)
    foreign = _unit(Stage(tmp_path / "mart", "other", open_keys(tmp_path / "theirs", tmp_path, create=True)))
    with pytest.raises(IntegrityError, match="has no key 'sign-1-"):
        stage.verify(foreign)


def test_another_process_signs_by_the_same_keyring(stage: Stage) -> None:
    """A copy that is sent to a worker has no secret in it, and what it writes verifies here."""
    sent = pickle.dumps(stage)
    secret = stage._files._keys.current(Purpose.SIGN).secret  # type: ignore[union-attr]
    assert secret not in sent
    unit = _unit(pickle.loads(sent))
    assert len(unit.signatures) == 3
    stage.verify(unit).must_hold()
