"""An encrypted mart: what its files show, who opens it, and all commands on it."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from flows.cli.main import app
from flows.keyring import mart_at
from flows.notebook import open_mart
from flows.refresh import run_refresh
from flows.runner import run_load
from flows.settings import LoadSettings
from schemas.errors import IntegrityError, UsageError
from schemas.tables import all_tables
from sources.files import FileSource
from sources.memory import MemorySource
from stores.commit import commit
from stores.database import has_openssl, is_encrypted
from stores.keys import Purpose, open_keys
from stores.mart import Mart
from stores.refresh import refresh
from tests.flows.inputs import medication

CANARY = "Zzyzxqwyt"  # a code's text that no other file has
FILES = {
    "a.ndjson": b"".join(medication(f"{CANARY}-{n}") + b"\n" for n in range(50)),
    "bad.ndjson": b'{"resourceType":"Medication","id":"'
    + CANARY.encode()
    + b'-bad","status":"'
    + CANARY.encode()
    + b'"}',
}


def _run(*words: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an encrypted mart of fifty rows and one refused line, and its inputs."""
    folder = tmp_path_factory.mktemp("encrypted")
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    _run("load", *(folder / name for name in FILES), "--mart", folder / "m", "--source", "s", "--encrypt", code=3)
    return folder


def _holding(folder: Path, text: str) -> list[str]:
    """The files that have the text in them, but for the inputs."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in FILES]
    return [path.name for path in files if text.encode() in path.read_bytes()]


def test_no_byte_of_a_patient_stands_beside_the_inputs(folder: Path) -> None:
    """A plain mart of the same files has them; the test would find them."""
    assert is_encrypted(folder / "m")
    assert _holding(folder, CANARY) == []
    plain = folder / "plain"
    plain.mkdir()
    run_load(MemorySource(FILES), LoadSettings(plain / "m", "s"))
    assert _holding(plain, CANARY) == ["m"]
    shutil.rmtree(plain)


def test_what_is_staged_is_encrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a load and a refresh run; what is staged for FHIR files of the user's is plain, as they will be."""
    seen: list[list[str]] = []

    def committed(*given: Any, **more: Any) -> Any:
        made = commit(*given, **more)
        staged = list((tmp_path / "m.staging").rglob("*.parquet"))
        assert staged
        seen.append(_holding(tmp_path, CANARY))
        return made

    def refreshed(*given: Any, **more: Any) -> Any:
        rows = refresh(*given, **more)
        assert list((tmp_path / "m.staging").rglob("done-*.parquet"))
        seen.append(_holding(tmp_path, CANARY))
        return rows

    monkeypatch.setattr("flows.session.commit", committed)
    monkeypatch.setattr("flows.refresh.refresh", refreshed)
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    report = run_load(FileSource([tmp_path / "a.ndjson"]), LoadSettings(tmp_path / "m", "s", encrypt=True, jobs=2))
    assert report.total().applied == 50
    assert run_refresh(LoadSettings(tmp_path / "m", "any"), "medication").refreshed == 50
    assert seen == [[], []]


def test_the_log_of_a_crash_is_encrypted(tmp_path: Path) -> None:
    """What was committed and is not yet in the file."""
    mart = mart_at(tmp_path / "m", encrypt=True)
    open_keys(None, mart.path, create=True)
    mart.prepare(all_tables())
    with mart.connect() as connection:
        connection.execute(f"CREATE TABLE t AS SELECT '{CANARY}' || i AS name FROM range(1000) r(i)")
        assert mart.wal.exists()
        assert _holding(tmp_path, CANARY) == []


def test_every_file_is_its_owners_alone(folder: Path) -> None:
    """Marts, keyrings, locks, tails."""
    ours = [path for path in folder.iterdir() if path.name.startswith("m")]
    assert {"m", "m.keys", "m.lock", "m.tail"} <= {path.name for path in ours}
    assert {stat.S_IMODE(path.stat().st_mode) for path in ours if path.is_file()} == {0o600}


def test_all_commands_open_it(folder: Path, tmp_path: Path) -> None:
    """By the keyring beside it, without being told; a second load changes nothing."""
    mart = folder / "m"
    again = json.loads(_run("load", folder / "a.ndjson", "--mart", mart, "--source", "s", "--json"))
    assert again["resources"]["Medication"]["duplicate"] == 50
    tables = json.loads(_run("status", "--mart", mart, "--json"))["tables"]
    assert [(table["table"], table["rows"]) for table in tables if table["rows"] == 50] == [("medication", 50)]
    (refused,) = json.loads(_run("quarantine", "list", "--mart", mart, "--json"))["entries"]
    _run("quarantine", "show", refused["quarantine_id"], "--mart", mart)
    _run("quarantine", "replay", "--mart", mart, code=3)
    _run("refresh", "medication", "--mart", mart)
    _run("repair", "--mart", mart)
    _run("units", "report", "--mart", mart)
    _run("report", "--mart", mart, "--out", tmp_path / "report.html")
    view = tmp_path / "view.json"
    select = [{"column": [{"name": "id", "path": "id"}]}]
    view.write_text(
        json.dumps({"resourceType": "ViewDefinition", "name": "v", "resource": "Medication", "select": select})
    )
    _run("view", "add", view, "--mart", mart)
    _run("view", "drop", "v", "--mart", mart)
    _run("lineage", "medication", "--mart", mart)
    _run("deidentify", "--mart", mart, "--out", tmp_path / "research.duckdb")
    _run("key", "list", "--mart", mart)
    assert _holding(folder, CANARY) == []


def test_what_is_published_of_it_is_encrypted(folder: Path, tmp_path: Path) -> None:
    """A notebook reads it with the mart's keyring; Polars, or DuckDB without the key, does not."""
    out = tmp_path / "out"
    _run("publish", out, "--to", "parquet", "--mart", folder / "m")
    assert _holding(tmp_path, CANARY) == []
    with pytest.raises(duckdb.Error):
        duckdb.sql(f"FROM read_parquet('{out}/medication.parquet')")
    found = open_mart(out)
    assert "medication" in found.tables
    frame = found["medication"].collect()
    assert (frame.height, frame["newer_refused"].sum()) == (50, 0)
    assert found.sql("SELECT count(*) AS n FROM medication")["n"].to_list() == [50]
    with pytest.raises(UsageError, match="no table"):
        found["medications"]


def test_a_published_folder_keeps_the_mode_that_it_was_given(folder: Path, tmp_path: Path) -> None:
    """At first its owner's alone; whoever is let in stays in."""
    out = tmp_path / "out"
    words = ("publish", out, "--to", "parquet", "--mart", folder / "m")
    _run(*words)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (out, *out.iterdir())} == {0o700, 0o600}
    out.chmod(0o750)
    _run(*words)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (out, *out.iterdir())} == {0o750, 0o640}


def test_nobody_opens_it_without_its_key(folder: Path, tmp_path: Path) -> None:
    """Neither DuckDB alone, nor clinmart with another keyring or none."""
    with pytest.raises(duckdb.Error, match="without a key"):
        duckdb.connect(str(folder / "m"))
    open_keys(tmp_path / "theirs", folder / "m", create=True)
    with pytest.raises(UsageError, match=r"no key of the keyring .*theirs opens the mart"):
        _run("status", "--mart", folder / "m", "--keys", tmp_path / "theirs")
    with pytest.raises(UsageError, match="there is no keyring"):
        _run("status", "--mart", folder / "m", "--keys", tmp_path / "none")


@pytest.mark.parametrize("place", [4, 4096 + 40, 8192 + 100])
def test_a_damaged_file_is_told_from_a_wrong_key(folder: Path, tmp_path: Path, place: int) -> None:
    """Every block has its tag, those of the head among them."""
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    data = bytearray((tmp_path / "m").read_bytes())
    data[place] ^= 0xFF
    (tmp_path / "m").write_bytes(data)
    with pytest.raises(IntegrityError, match="is damaged: put a copy of it back"):
        _run("status", "--mart", tmp_path / "m")


def test_an_old_key_opens_what_it_encrypted(folder: Path) -> None:
    """A new key is for new marts."""
    keys = open_keys(None, folder / "m")
    keys.rotate(Purpose.DATABASE)
    _run("status", "--mart", folder / "m")


def test_a_plain_mart_is_not_said_to_be_encrypted(tmp_path: Path) -> None:
    """--encrypt is for a mart that is made."""
    run_load(MemorySource(FILES), LoadSettings(tmp_path / "m", "s"))
    with pytest.raises(UsageError, match="not encrypted"):
        run_load(MemorySource(FILES), LoadSettings(tmp_path / "m", "s", encrypt=True))


def test_who_encrypts_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, when the mart is made, where DuckDB has no OpenSSL; it has one when one of its extensions loads."""
    monkeypatch.setattr("stores.database._extensions", lambda: ["no_such_extension"])
    open_keys(None, tmp_path / "m", create=True)
    for _ in range(2):
        mart_at(tmp_path / "m", encrypt=True).prepare(all_tables()[:1])
    assert caplog.text.count("has no OpenSSL") == 1
    monkeypatch.setattr("stores.database._extensions", lambda: ["no_such_extension", "json"])
    with duckdb.connect() as connection:
        assert has_openssl(connection)


def test_the_key_is_in_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever DuckDB says of the statement that has it."""
    keys = open_keys(None, tmp_path / "m", create=True)
    secret = keys.current(Purpose.DATABASE).secret.hex()

    class Telling:
        def execute(self, statement: str) -> None:
            if statement.startswith("ATTACH"):
                raise duckdb.IOException(f"cannot do {statement}")

        def close(self) -> None: ...

    monkeypatch.setattr("stores.database.duckdb.connect", lambda *_, **__: Telling())
    with (
        pytest.raises(Exception, match=r"cannot do ATTACH|cannot be opened") as told,
        Mart(tmp_path / "m", encrypt=True).connect(),
    ):
        pass
    assert secret not in str(told.value)
    assert secret not in str(told.value.__cause__)
