"""A fetched folder is signed, and what is loaded of it is what was signed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stores.keys import Purpose, open_keys
from tests.bulk.server import BulkServer, File, serving
from tests.flows.inputs import Outcome, medication, query

Clinmart = Callable[..., Outcome]
_NAMES = ("Medication.000.ndjson", "Medication.001.ndjson", "manifest.json", "SHA256SUMS", "SIGNATURES")


def _lines(*names: str) -> bytes:
    return b"".join(medication(name, updated=None) + b"\n" for name in names)


@pytest.fixture(scope="module")
def server() -> Iterator[BulkServer]:
    """Two files of one type."""
    files = {"a": File(_lines("a1", "a2"), "Medication"), "b": File(_lines("b1", "b2"), "Medication")}
    with serving(files=files, retry_after="0") as one:
        yield one


@pytest.fixture(scope="module")
def fetched(server: BulkServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a fetched export in ``f`` and the keyring that signed it in ``keys``."""
    import sys

    from flows.cli.main import main

    base = tmp_path_factory.mktemp("fetched")
    with pytest.MonkeyPatch.context() as patch:
        words = ["fetch", server.url + "/fhir", "--out", base / "f", "--keys", base / "keys", "--json"]
        patch.setattr(sys, "argv", ["clinmart", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        assert left.value.code == 0
    return base


@pytest.fixture
def folder(fetched: Path, tmp_path: Path) -> Path:
    """A copy of the fetched folder and its keyring."""
    shutil.copytree(fetched, tmp_path, dirs_exist_ok=True)
    return tmp_path


def _load(clinmart: Clinmart, folder: Path, *more: object) -> Outcome:
    words = ("--mart", folder / "m", "--source", "s", "--keys", folder / "keys", "--json")
    return clinmart("load", folder / "f", *words, *more)


def _flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def _place(folder: Path, text: bytes) -> int:
    return (folder / "f" / "SIGNATURES").read_bytes().index(text)


def _swap(folder: Path) -> None:
    one, other, aside = (folder / "f" / name for name in (*_NAMES[:2], ".aside"))
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def _without_line(folder: Path, which: int) -> None:
    path = folder / "f" / "SIGNATURES"
    lines = path.read_bytes().splitlines(keepends=True)
    del lines[which]
    path.write_bytes(b"".join(lines))


def _twice(folder: Path) -> None:
    path = folder / "f" / "SIGNATURES"
    path.write_bytes(path.read_bytes() + path.read_bytes().splitlines(keepends=True)[1])


def test_a_fetched_folder_is_signed_and_loads(clinmart: Clinmart, folder: Path) -> None:
    """Also when signatures are required; every file is its owner's alone."""
    assert {path.name for path in (folder / "f").iterdir() if not path.name.startswith(".")} == set(_NAMES)
    assert {path.stat().st_mode & 0o777 for path in (folder / "f").iterdir()} == {0o600}
    outcome = _load(clinmart, folder, "--require-signed")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.json["resources"]["Medication"]["applied"] == 4


_DAMAGE: dict[str, Callable[[Path], object]] = {
    "first byte": lambda f: _flip(f / "f" / _NAMES[0], 0),
    "an id": lambda f: _flip(f / "f" / _NAMES[0], (f / "f" / _NAMES[0]).read_bytes().index(b'"a1"') + 1),
    "last byte": lambda f: _flip(f / "f" / _NAMES[1], -1),
    "a line more": lambda f: (f / "f" / _NAMES[1]).write_bytes(_lines("b1", "b2", "x")),
    "cut": lambda f: (f / "f" / _NAMES[1]).write_bytes(_lines("b1")),
    "swapped": _swap,
    "manifest": lambda f: _flip(f / "f" / "manifest.json", (f / "f" / "manifest.json").read_bytes().index(b"2026") + 3),
    "sums": lambda f: _flip(f / "f" / "SHA256SUMS", 0),
    "gone": lambda f: (f / "f" / _NAMES[1]).unlink(),
    "put in": lambda f: (f / "f" / "Medication.002.ndjson").write_bytes(_lines("x")),
    "signature": lambda f: _flip(f / "f" / "SIGNATURES", -10),
    "a signature's name": lambda f: _flip(
        f / "f" / "SIGNATURES", (f / "f" / "SIGNATURES").read_bytes().index(b"000.nd")
    ),
    "landing's id": lambda f: _flip(f / "f" / "SIGNATURES", 40),
    "no first line": lambda f: _without_line(f, 0),
    "no line of a file": lambda f: _without_line(f, 1),
    "no end": lambda f: _without_line(f, -1),
    "a line after the end": _twice,
    "no signatures left": lambda f: (f / "f" / "SIGNATURES").write_bytes(b""),
}


@pytest.mark.parametrize("damage", _DAMAGE)
def test_what_is_not_as_signed_is_not_loaded(clinmart: Clinmart, folder: Path, damage: str) -> None:
    """Exit code 4 and one line that names the place; no row of the file."""
    _DAMAGE[damage](folder)
    outcome = _load(clinmart, folder)
    assert outcome.code == 4, outcome
    assert outcome.err.startswith("clinmart: ")
    if (folder / "m").exists():
        whole = query(folder / "m", "SELECT count(*) FROM medication")
        assert whole in ([(0,)], [(2,)])  # of a file that is as it was signed
    assert damage != "swapped" or whole == [(0,)]


def test_another_keyring_or_none(clinmart: Clinmart, folder: Path) -> None:
    """A key that is not there signs nothing; and without signatures, required ones are missed."""
    open_keys(folder / "theirs", folder, create=True)
    outcome = _load(clinmart, folder, "--keys", folder / "theirs")
    assert (outcome.code, "has no key 'sign-1-" in outcome.err) == (4, True)
    (folder / "f" / "SIGNATURES").unlink()
    outcome = _load(clinmart, folder, "--require-signed")
    assert (outcome.code, "--require-signed" in outcome.err) == (4, True)
    assert _load(clinmart, folder).code == 0


def test_a_landing_is_signed_by_old_and_new_keys(clinmart: Clinmart, folder: Path) -> None:
    """A rotation between fetch and load changes nothing."""
    open_keys(folder / "keys", folder).rotate(Purpose.SIGN)
    assert _load(clinmart, folder).code == 0


def test_checksums_alone_find_a_flipped_byte(clinmart: Clinmart, folder: Path) -> None:
    """Of a folder that was fetched without keys."""
    (folder / "f" / "SIGNATURES").unlink()
    _DAMAGE["an id"](folder)
    outcome = _load(clinmart, folder)
    assert outcome.code == 4
    assert "is not what it was when it landed" in outcome.err


def test_what_is_loaded_as_it_lands_is_signed(clinmart: Clinmart, server: BulkServer, tmp_path: Path) -> None:
    """By the keys of the mart; the folder loads again, and does not with a byte flipped."""
    words = ("--mart", tmp_path / "m", "--source", "s", "--json")
    outcome = clinmart("load", server.url + "/fhir", *words)
    assert outcome.code == 0
    (landing,) = (tmp_path / "m.landing").iterdir()
    assert clinmart("load", landing, "--require-signed", *words).code == 0
    _flip(landing / _NAMES[0], 60)
    assert clinmart("load", landing, *words).code == 4


def test_a_large_file_is_looked_at_before_its_first_part(folder: Path) -> None:
    """A byte range is handed out once the whole file was compared: nothing of an altered file is."""
    import asyncio

    from flows.landing_checks import check_landings
    from flows.settings import LoadSettings
    from schemas.errors import IntegrityError
    from sources.files import FileSource
    from sources.source import ReadLimits

    source = FileSource([folder / "f"], ReadLimits(chunk_bytes=64, partition_bytes=100))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLINMART_KEYS", str(folder / "keys"))
        check_landings(source, LoadSettings(folder / "m", "s"))
    parts = source.partitions()
    assert len(parts) > 2

    async def read(number: int) -> list[object]:
        return [item async for item in source.read(parts[number])]

    assert asyncio.run(read(0))
    _flip(folder / "f" / _NAMES[0], -2)
    with pytest.raises(IntegrityError, match="when it landed"):
        asyncio.run(read(0))
