"""`clinmart repair`: whatever befell the log, the mart says that work is lost, and has it again afterwards."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.flows.inputs import Outcome, contents, medication, query, write

Clinmart = Callable[..., Outcome]


def _load(clinmart: Clinmart, inputs: Path, mart: Path, source: str, *more: object) -> None:
    assert clinmart("load", inputs, "--mart", mart, "--source", source, *more).code in (0, 3)


def _run(before: str, code: int, inputs: Path, mart: Path, source: str, *more: object) -> None:
    """A load in a process of its own, after ``before``; one that dies leaves its commit in the log alone."""
    program = f"import os, flows.session\n{before}\nfrom flows.cli.main import main\nmain()"
    arguments = ["load", inputs, "--mart", mart, "--source", source, *more]
    ran = subprocess.run([sys.executable, "-c", program, *map(str, arguments)], check=False, stdout=subprocess.DEVNULL)
    assert ran.returncode == code
    assert mart.with_name(f"{mart.name}.wal").exists() == (code == 9)


class Lossy(NamedTuple):
    """A mart of two sources, the second of which stands in its log alone, and what it must hold."""

    mart: Path
    wal: Path
    inputs: Path  # of the second source
    expected: dict[str, list[str]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[str]]]:
    """The folder of such a mart as it was made in `work` beside it, and what it must hold."""
    folder = tmp_path_factory.mktemp("lossy")
    work = folder / "work"
    first = write(work / "first.ndjson", medication("a"), medication("b"))
    inputs = work / "second"
    write(inputs / "one.ndjson", medication("a", "y"), medication("n", updated=None), b"{")
    write(inputs / "two.ndjson", medication("c"), medication("n", "other", updated=None))
    second = "two", "--as-of", "2024-05-05T00:00:00Z"
    _run("", 0, first, work / "m", "one")
    shutil.copy(work / "m", folder / "reference")
    _run("flows.session.save_load = lambda *_, **__: os._exit(9)", 9, inputs, work / "m", *second)
    _run("", 3, inputs, folder / "reference", *second)
    work.rename(folder / "made")
    return folder, contents(folder / "reference")


@pytest.fixture
def lossy(made: tuple[Path, dict[str, list[str]]]) -> Lossy:
    folder, expected = made
    shutil.rmtree(folder / "work", ignore_errors=True)
    work = Path(shutil.copytree(folder / "made", folder / "work"))
    return Lossy(work / "m", work / "m.wal", work / "second", expected)


def _halved(wal: Path) -> None:
    wal.write_bytes(wal.read_bytes()[: wal.stat().st_size // 2])


def _overwritten(start: int, junk: bytes) -> Callable[[Path], None]:
    def damage(wal: Path) -> None:
        whole = bytearray(wal.read_bytes())
        whole[start : start + len(junk)] = junk
        wal.write_bytes(whole)

    return damage


DAMAGES: dict[str, Callable[[Path], None]] = {
    "halved": _halved,
    "head broken": _overwritten(0, b"x" * 64),
    "head not to be decoded": _overwritten(20, b"\xff" * 20),
    "broken in the middle": _overwritten(2000, b"x" * 64),
    "emptied": lambda wal: wal.write_bytes(b""),
    "deleted": Path.unlink,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_log(clinmart: Clinmart, lossy: Lossy, damage: str) -> None:
    """Every command says so with exit 4 in one line, and touches nothing; after a repair nothing is lost or doubled."""
    DAMAGES[damage](lossy.wal)
    left = lossy.wal.read_bytes() if lossy.wal.exists() else None
    for command in (
        ("status",),
        ("quarantine", "list"),
        ("load", lossy.inputs, "--source", "two"),
        ("load", lossy.inputs, "--source", "three"),
    ):
        outcome = clinmart(*command, "--mart", lossy.mart)
        assert (outcome.code, outcome.out, outcome.err.count("\n")) == (4, b"", 1)
        assert f"clinmart repair --mart {lossy.mart}" in outcome.err
        assert (lossy.wal.read_bytes() if lossy.wal.exists() else None) == left
    outcome = clinmart("repair", "--mart", lossy.mart, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.json["status"] == "ok"
    assert outcome.json["commits"] == {"lost": 1, "replayed": 1, "forgotten": 0}
    assert contents(lossy.mart) == lossy.expected
    aside = outcome.json["damaged_wal"]
    assert (Path(aside).read_bytes() if aside else None) == left
    _load(clinmart, lossy.inputs, lossy.mart, "two")
    assert contents(lossy.mart) == lossy.expected
    again = clinmart("repair", "--mart", lossy.mart)
    assert (again.code, b"has lost nothing" in again.out) == (0, True)


def test_whole_log_is_no_loss(clinmart: Clinmart, lossy: Lossy) -> None:
    """After a plain crash there is nothing to repair: what was committed is there, and a re-run completes the load."""
    assert clinmart("status", "--mart", lossy.mart).code == 0
    outcome = clinmart("repair", "--mart", lossy.mart, "--json")
    assert (outcome.code, outcome.json["commits"]["lost"], outcome.json["damaged_wal"]) == (0, 0, None)
    assert contents(lossy.mart) == lossy.expected


def test_old_copy_of_several_sources(clinmart: Clinmart, tmp_path: Path) -> None:
    """An older copy put back lacks loads of two sources with times and options of their own; all are replayed."""
    mart, reference = tmp_path / "m", tmp_path / "reference"
    files = [write(tmp_path / f"{n}.ndjson", medication(f"{n}", updated=None), medication("x", f"{n}")) for n in "abc"]
    loads = [("one", files[0]), ("two", files[1]), ("one", files[2]), ("two", files[0])]
    for number, (source, file) in enumerate(loads):
        for at in (mart, reference):
            _load(clinmart, file, at, source, "--as-of", f"2024-0{number + 1}-01T00:00:00Z", "--sample", number % 2)
        if number == 0:
            shutil.copy(mart, tmp_path / "copy")
    shutil.copy(tmp_path / "copy", mart)
    outcome = clinmart("repair", "--mart", mart, "--json")
    assert outcome.code == 0
    assert outcome.json["commits"] == {"lost": 3, "replayed": 3, "forgotten": 0}
    assert contents(mart) == contents(reference)
    assert query(mart, "SELECT count(*) FROM etl.commit WHERE note LIKE 'lost, and replayed by %'") == [(3,)]
    shutil.copy(tmp_path / "copy", mart)  # and once more: the repair's own commits are lost now, too
    assert clinmart("status", "--mart", mart).code == 4
    assert clinmart("repair", "--mart", mart).code == 0
    assert contents(mart) == contents(reference)


def test_files_gone_or_changed(clinmart: Clinmart, lossy: Lossy) -> None:
    """What is not there, or is not what it was, is named and not loaded; the mart stays refused till then."""
    lossy.wal.unlink()
    one, two = lossy.inputs / "one.ndjson", lossy.inputs / "two.ndjson"
    whole = two.read_bytes()
    one.rename(lossy.inputs / "away")
    write(two, medication("forged"))
    outcome = clinmart("repair", "--mart", lossy.mart)
    assert outcome.code == 4
    assert f"{one} is gone\n" in outcome.err
    assert f"{two} has changed\n" in outcome.err
    assert clinmart("status", "--mart", lossy.mart).code == 4
    two.write_bytes(whole)
    outcome = clinmart("repair", "--mart", lossy.mart, "--json")
    assert (outcome.code, outcome.json["missing"]) == (4, [f"{one} is gone"])
    assert query(lossy.mart, "SELECT count(*) FROM medication WHERE source = 'two'") == [(2,)]
    (lossy.inputs / "away").rename(one)
    outcome = clinmart("repair", "--mart", lossy.mart, "--json")
    assert (outcome.code, outcome.json["missing"]) == (0, [])
    assert contents(lossy.mart) == lossy.expected


def test_accepted_loss(clinmart: Clinmart, lossy: Lossy) -> None:
    """A loss that is accepted is written down in words, and the mart goes on; the files can still be loaded."""
    lossy.wal.unlink()
    one = lossy.inputs / "one.ndjson"
    one.rename(lossy.inputs / "away")
    outcome = clinmart("repair", "--mart", lossy.mart, "--accept-loss", "--json")
    assert outcome.code == 0
    assert outcome.json["commits"] == {"lost": 1, "replayed": 0, "forgotten": 1}
    assert query(lossy.mart, "SELECT note FROM etl.commit WHERE source = 'two' AND note IS NOT NULL") == [
        ("lost, and the loss accepted",)
    ]
    assert b"lost, and the loss accepted" in lossy.mart.with_name("m.tail").read_bytes()
    assert clinmart("status", "--mart", lossy.mart).code == 0
    (lossy.inputs / "away").rename(one)
    _load(clinmart, lossy.inputs, lossy.mart, "two", "--as-of", "2024-05-05T00:00:00Z")
    assert contents(lossy.mart) == lossy.expected


def test_deletes_and_held_rows_are_replayed(clinmart: Clinmart, tmp_path: Path) -> None:
    """Files of deletes are read as such again, and a load's late policy holds for its repair."""
    mart, reference = tmp_path / "m", tmp_path / "reference"
    first = write(tmp_path / "first.ndjson", medication("a"), medication("b"))
    gone = write(tmp_path / "gone.csv", b"resource_type,id,last_updated", b"Medication,a,2025-01-01T00:00:00Z")
    late = write(tmp_path / "late.ndjson", medication("late", updated="2001-01-01T00:00:00Z"))
    _load(clinmart, first, mart, "one")
    shutil.copy(mart, tmp_path / "copy")
    shutil.copy(mart, reference)
    for at in (mart, reference):
        assert clinmart("load", "--deletes", gone, "--mart", at, "--source", "one").code == 0
        assert clinmart("load", late, "--mart", at, "--source", "one", "--late-policy", "quarantine").code == 3
    shutil.copy(tmp_path / "copy", mart)
    outcome = clinmart("repair", "--mart", mart, "--json")
    assert (outcome.code, outcome.json["commits"]) == (0, {"lost": 2, "replayed": 2, "forgotten": 0})
    assert contents(mart) == contents(reference)
    assert query(mart, "SELECT id FROM medication") == [("b",)]


def test_what_came_from_no_file_is_named(clinmart: Clinmart, tmp_path: Path) -> None:
    """A lost replay or refresh is said to be lost, and which command does it again."""
    mart = tmp_path / "m"
    _load(clinmart, write(tmp_path / "first.ndjson", medication("a"), b"{"), mart, "one")
    shutil.copy(mart, tmp_path / "copy")
    assert clinmart("quarantine", "replay", "--mart", mart).code == 3
    assert clinmart("refresh", "medication", "--mart", mart).code == 0
    shutil.copy(tmp_path / "copy", mart)
    assert clinmart("status", "--mart", mart).code == 4
    outcome = clinmart("repair", "--mart", mart, "--json")
    assert outcome.code == 0
    assert outcome.json["again"] == ["clinmart quarantine replay", "clinmart refresh medication"]
    assert clinmart("status", "--mart", mart).code == 0


def test_no_mart_to_repair(clinmart: Clinmart, tmp_path: Path) -> None:
    """A mart that is not there is a usage error."""
    outcome = clinmart("repair", "--mart", tmp_path / "m")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
