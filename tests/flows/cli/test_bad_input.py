"""A user's mistake is one line that says what is wrong, with the right exit code; damaged files leave nothing."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from tests.flows.inputs import Outcome, contents, medication, query, write

Clinmart = Callable[..., Outcome]


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A file with one good line."""
    return write(tmp_path / "in" / "good.ndjson", medication("a"))


def _one_line(outcome: Outcome, code: int, *words: str) -> None:
    assert outcome.code == code, outcome
    assert outcome.out == b""
    assert outcome.err.startswith("clinmart: ")
    assert outcome.err.count("\n") == 1, outcome.err
    assert "Traceback" not in outcome.err
    for word in words:
        assert word in outcome.err, outcome.err


def test_inputs_that_are_not_there(clinmart: Clinmart, tmp_path: Path) -> None:
    """A path, a folder without data and a glob without match are named; no mart is made."""
    (tmp_path / "empty").mkdir()
    mart = tmp_path / "m.duckdb"
    for given in ("nothing.ndjson", "empty", "*.ndjson"):
        _one_line(clinmart("load", tmp_path / given, "--mart", mart, "--source", "s"), 2, given)
    assert not mart.exists()


@pytest.mark.parametrize("place", ["missing/m.duckdb", "file/m.duckdb"])
def test_no_place_for_a_mart(clinmart: Clinmart, tmp_path: Path, good: Path, place: str) -> None:
    """A mart in a folder that is not there, or is a file, cannot be made."""
    (tmp_path / "file").write_bytes(b"")
    _one_line(clinmart("load", good, "--mart", tmp_path / place, "--source", "s"), 5, place)


def test_folder_that_takes_no_files(clinmart: Clinmart, good: Path) -> None:
    """A folder in which the system lets nobody write (not even root) is a storage error."""
    _one_line(clinmart("load", good, "--mart", "/proc/sys/m.duckdb", "--source", "s"), 5, "/proc/sys/m.duckdb")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folder_without_permission(clinmart: Clinmart, tmp_path: Path, good: Path) -> None:
    """A read-only folder is a storage error."""
    (tmp_path / "closed").mkdir(mode=0o500)
    _one_line(clinmart("load", good, "--mart", tmp_path / "closed" / "m.duckdb", "--source", "s"), 5)


def _commands(good: Path, mart: Path, out: Path) -> list[tuple[object, ...]]:
    return [
        ("load", good, "--mart", mart, "--source", "s"),
        ("status", "--mart", mart),
        ("quarantine", "list", "--mart", mart),
        ("quarantine", "show", "abc", "--mart", mart),
        ("publish", "--mart", mart, "--to", "parquet", out),
    ]


@pytest.mark.parametrize("command", range(5))
@pytest.mark.parametrize("kind", ["text", "database", "folder"])
def test_not_a_mart(clinmart: Clinmart, tmp_path: Path, good: Path, kind: str, command: int) -> None:
    """Every command refuses a file, a database or a folder that is no mart, and leaves it alone."""
    mart = tmp_path / "theirs"
    if kind == "folder":
        mart.mkdir()
    elif kind == "text":
        mart.write_text("hello " * 2000)
    else:
        with duckdb.connect(str(mart)) as connection:
            connection.execute("CREATE TABLE precious (x INTEGER)")
    _one_line(clinmart(*_commands(good, mart, tmp_path / "out")[command]), 2, str(mart))
    assert not (tmp_path / "out").exists()
    if kind == "database":
        assert query(mart, "SELECT table_name FROM duckdb_tables()") == [("precious",)]


@pytest.mark.parametrize("command", range(1, 5))
def test_mart_that_is_not_there(clinmart: Clinmart, tmp_path: Path, good: Path, command: int) -> None:
    """Commands that look at a mart do not make one."""
    _one_line(clinmart(*_commands(good, tmp_path / "m", tmp_path / "out")[command]), 2, "there is no mart")
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--as-of", "yesterday"),
        ("--as-of", "2026-01-31"),
        ("--as-of", "2026-01-31T00:00:00"),
        ("--as-of", "2026-02-30T00:00:00Z"),
        ("--zone", "Europe/Berln"),
        ("--zone", ""),
        ("--sample", "2"),
        ("--sample", "-0.1"),
        ("--sample", "nan"),
        ("--jobs", "0"),
        ("--jobs", "-1"),
        ("--source", ""),
        ("--source", "a\nb"),
    ],
)
def test_bad_options(clinmart: Clinmart, tmp_path: Path, good: Path, option: str, value: str) -> None:
    """A value that makes no sense is refused before anything is made."""
    mart = tmp_path / "m.duckdb"
    _one_line(clinmart("load", good, "--mart", mart, "--source", "s", option, value), 2)
    assert not mart.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("load", "x", "--mart", "m", "--source", "s", "--jobs", "two"),
        ("load", "x", "--mart", "m", "--source", "s", "--sample", "half"),
        ("load", "x", "--source", "s"),
        ("load", "--mart", "m", "--source", "s"),
        ("load", "x", "--mart", "m", "--source", "s", "--colour", "red"),
        ("laod", "x"),
    ],
)
def test_mistyped_commands(clinmart: Clinmart, arguments: tuple[str, ...]) -> None:
    """Unknown commands and options, missing ones and values of the wrong kind are one line too."""
    _one_line(clinmart(*arguments), 2)


def test_mistake_with_json(clinmart: Clinmart, tmp_path: Path) -> None:
    """With --json the mistake is one JSON object on stdout, beside the line on stderr."""
    outcome = clinmart("load", tmp_path / "no", "--mart", tmp_path / "m", "--source", "s", "--json")
    assert outcome.json["status"] == "failed"
    assert outcome.json["exit_code"] == outcome.code == 2
    assert outcome.json["error"] in outcome.err


def _damaged(kind: str) -> bytes:
    whole = gzip.compress(b"".join(medication(f"d{n}", str(n * 7919)) + b"\n" for n in range(3000)))
    if kind == "truncated":
        return whole[:-100]
    if kind == "without its trailer":
        return whole[:-8]
    if kind == "garbage after":
        return whole + b"garbage"
    if kind == "bomb":
        return gzip.compress(medication("d") + b"\n" * 120_000_000, 1)
    return whole[: len(whole) // 2] + b"\x00" * 20 + whole[len(whole) // 2 + 20 :]


@pytest.mark.parametrize("kind", ["truncated", "without its trailer", "garbage after", "bomb", "a hole"])
def test_damaged_file_is_refused_whole(clinmart: Clinmart, tmp_path: Path, good: Path, kind: str) -> None:
    """Nothing of a damaged file is in the mart, the other files are; exit 4, and the file is named in one line."""
    bad = good.parent / "bad.ndjson.gz"
    bad.write_bytes(_damaged(kind))
    mart = tmp_path / "m.duckdb"
    outcome = clinmart("load", good.parent, "--mart", mart, "--source", "s", "--json")
    assert outcome.code == 4
    assert outcome.err.count("\n") == 1
    assert str(bad) in outcome.err
    assert outcome.json["status"] == "failed"
    assert outcome.json["resources"]["Medication"]["applied"] == 1
    assert outcome.json["refused"] == [outcome.err.removeprefix("clinmart: ").rstrip("\n")]
    assert query(mart, "SELECT id FROM medication") == [("a",)]
    assert query(mart, "SELECT uri FROM etl.receipt") == [(str(good),)]
    assert query(mart, "SELECT status FROM etl.load") == [("failed",)]
    assert not (tmp_path / "m.duckdb.staging").exists()


def test_strict_loads_nothing(clinmart: Clinmart, tmp_path: Path, good: Path) -> None:
    """One refused line rolls a strict load back: exit 4, one line, and nothing is in the mart."""
    write(good.parent / "more.ndjson", medication("b"), b"{")
    mart = tmp_path / "m.duckdb"
    outcome = clinmart("load", good.parent, "--mart", mart, "--source", "s", "--strict", "--json")
    assert outcome.code == 4
    assert outcome.json["status"] == "failed"
    assert outcome.err.startswith("clinmart: ")
    assert outcome.err.count("\n") == 1
    assert not any(contents(mart).values())
    assert query(mart, "SELECT count(*) FROM etl.receipt") == [(0,)]
    again = clinmart("load", good, "--mart", mart, "--source", "s", "--strict")
    assert again.code == 0
    assert query(mart, "SELECT id FROM medication") == [("a",)]


@pytest.mark.parametrize("kind", ["bom", "crlf", "no end", "blank lines"])
def test_harmless_forms_load(clinmart: Clinmart, tmp_path: Path, kind: str) -> None:
    """A BOM, CRLF, a last line without its end and blank lines are no mistakes."""
    a, b = medication("a"), medication("b")
    content = {
        "bom": b"\xef\xbb\xbf" + a + b"\n" + b + b"\n",
        "crlf": a + b"\r\n" + b + b"\r\n",
        "no end": a + b"\n" + b,
        "blank lines": b"\n\n" + a + b"\n \t\n" + b + b"\n\n",
    }[kind]
    (tmp_path / "in.ndjson").write_bytes(content)
    outcome = clinmart("load", tmp_path / "in.ndjson", "--mart", tmp_path / "m", "--source", "s", "--json")
    assert outcome.code == 0, outcome
    assert outcome.json["resources"]["Medication"]["applied"] == 2
    assert query(tmp_path / "m", "SELECT id FROM medication ORDER BY id") == [("a",), ("b",)]


def test_very_long_line(tmp_path: Path, good: Path) -> None:
    """A line of 50 MB is quarantined with its beginning, in no more memory than a few times the limit of a line."""
    long = medication("long", "y" * 50_000_000)
    write(tmp_path / "long" / "in.ndjson", medication("a"), long, medication("b"))
    peaks = []
    for name, folder in (("short", good.parent), ("long", tmp_path / "long")):
        command = [sys.executable, "-m", "flows.cli.main", "load", folder, "--mart", tmp_path / name / "m"]
        (tmp_path / name).mkdir(exist_ok=True)
        process = subprocess.Popen([*map(str, command), "--source", "s"], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        peaks.append(usage.ru_maxrss // 1024)  # MiB
        assert process.returncode == (3 if name == "long" else 0)
    mart = tmp_path / "long" / "m"
    assert query(mart, "SELECT id FROM medication ORDER BY id") == [("a",), ("b",)]
    found = query(mart, "SELECT reason, line, payload_bytes, octet_length(payload) <= 16777216 FROM etl.quarantine")
    assert found == [("line_too_long", 2, len(long), True)]
    assert peaks[1] - peaks[0] < 250, peaks
