"""The file of signatures while files land, and after a crash."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import IntegrityError
from schemas.sealed import Sealed
from stores.keys import Keys, Purpose, open_keys
from stores.landing_signatures import SIGNATURES_NAME, LandingSignatures, signed_files

ONE, OTHER = Sealed("a.ndjson", 3, "a" * 64), Sealed("b.ndjson", 5, "b" * 64)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return open_keys(tmp_path / "keys", tmp_path, create=True)


def _closed(folder: Path, keys: Keys) -> Path:
    signatures = LandingSignatures(folder, keys)
    signatures.add(ONE)
    keys.rotate(Purpose.SIGN)
    signatures.add(OTHER)
    signatures.close([])
    return folder / SIGNATURES_NAME


def test_what_was_signed_is_told(tmp_path: Path, keys: Keys) -> None:
    """By a process that goes on, and at the end."""
    path = _closed(tmp_path, keys)
    assert signed_files(tmp_path, keys) == {"a.ndjson": ONE, "b.ndjson": OTHER}
    again = LandingSignatures(tmp_path, keys)
    assert (again.known("a.ndjson"), again.known("c")) == (ONE, None)
    again.close([])
    assert signed_files(tmp_path, keys) == {"a.ndjson": ONE, "b.ndjson": OTHER}
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("left", range(1, 40, 6))
def test_a_line_that_a_crash_cut_short_is_left_out(tmp_path: Path, keys: Keys, left: int) -> None:
    """The file is then downloaded again; a folder without an end is not loaded."""
    path = _closed(tmp_path, keys)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]) + lines[2][:left])
    with pytest.raises(IntegrityError):
        signed_files(tmp_path, keys)
    signatures = LandingSignatures(tmp_path, keys)
    assert (signatures.known("a.ndjson"), signatures.known("b.ndjson")) == (ONE, None)
    with pytest.raises(IntegrityError, match="do not come to an end"):
        signed_files(tmp_path, keys)
    signatures.add(OTHER)
    signatures.close([])
    assert signed_files(tmp_path, keys) == {"a.ndjson": ONE, "b.ndjson": OTHER}


def test_any_flipped_byte_is_found(tmp_path: Path, keys: Keys) -> None:
    """Wherever it stands."""
    path = _closed(tmp_path, keys)
    whole = path.read_bytes()
    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(IntegrityError):
            signed_files(tmp_path, keys)


def test_a_line_of_another_landing_does_not_fit(tmp_path: Path, keys: Keys) -> None:
    """Though the key, the name and the file are the same."""
    lines = []
    for name in "xy":
        (tmp_path / name).mkdir()
        lines.append(_closed(tmp_path / name, keys).read_bytes().splitlines(keepends=True))
    (tmp_path / "x" / SIGNATURES_NAME).write_bytes(b"".join([lines[0][0], lines[1][1], *lines[0][2:]]))
    with pytest.raises(IntegrityError, match="were altered"):
        signed_files(tmp_path / "x", keys)


def test_restart_forgets(tmp_path: Path, keys: Keys) -> None:
    """A new export in the folder is a new landing."""
    path = _closed(tmp_path, keys)
    signatures = LandingSignatures(tmp_path, keys)
    signatures.restart()
    signatures.restart()
    assert not path.exists()
    assert signatures.known("a.ndjson") is None
