"""The audit trail of loads: what it says, that the mart is held against it, what crashes and faults leave."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from flows.audit_check import Verified, records_of, verify
from flows.audit_restart import restart
from flows.auditing import anchor_anew, audited, note, trail_of
from flows.erase import EraseRequest, erase
from flows.mart_views import drop_from_mart
from flows.runner import run_load
from flows.settings import LoadSettings
from schemas.errors import IntegrityError, StorageError, UsageError
from sources.memory import MemorySource
from stores.audit import segments
from stores.people import Asked
from tests.flows.inputs import medication
from transforms.sample import Sampling

CANARY = "ZZCANARYZZ"
FILES = {
    f"{CANARY}-{name}.ndjson": medication(f"{CANARY}-{name}", CANARY) + b"\n" + medication("shared", name) + b"\n"
    for name in "abc"
} | {f"{CANARY}-bad.ndjson": b'{"resourceType": "Medication", "id": "' + CANARY.encode() + b'", "status": 1}\n'}


def _settings(mart: Path, **more: object) -> LoadSettings:
    return LoadSettings(mart, "s", sampling=Sampling(0), **more)  # type: ignore[arg-type] # any field


def _copied(mart: Path, folder: Path) -> Path:
    """A mart with all that stands beside it, elsewhere."""
    for path in mart.parent.iterdir():
        to = folder / path.name
        shutil.copytree(path, to) if path.is_dir() else shutil.copy(path, to)
    return folder / mart.name


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mart of two loads: one of several commits, one whose files hold what is written anew, later and again."""
    mart = tmp_path_factory.mktemp("audited") / "m"
    run_load(MemorySource(FILES), _settings(mart, unit_bytes=1))
    twin = medication("shared", "a").replace(b": ", b":")  # the same version, its bytes not those of before
    later = medication(f"{CANARY}-a", "new", updated="2025-01-01T00:00:00Z")
    gone = b"Medication,shared,2026-01-01T00:00:00Z\n"
    second = MemorySource({"d.ndjson": twin + b"\n" + later + b"\n", **dict([next(iter(FILES.items()))])})
    run_load(second, _settings(mart))
    folder = mart.parent / "gone.csv"
    folder.write_bytes(gone)
    from sources.files import FileSource

    run_load(FileSource([], deletes=[str(folder)]), _settings(mart))
    folder.unlink()
    return mart


@pytest.fixture
def mart(made: Path, tmp_path: Path) -> Path:
    """That mart, to be damaged."""
    return _copied(made, tmp_path)


def _said(found: Verified) -> str:
    return " | ".join(map(str, found.faults))


def test_a_whole_mart(made: Path) -> None:
    """All commits and versions are proved, however often a load committed, and whatever was written anew."""
    found = verify(made)
    assert _said(found) == ""
    assert found.proved is not None
    assert (found.proved.commits, found.proved.loads) == (6, 3)
    with duckdb.connect(str(made), read_only=True) as connection:
        count = "SELECT (SELECT count(*) FROM {0}.medication) + (SELECT count(*) FROM history.medication)"
        rows = connection.execute(count.format("main") + " + (SELECT count(*) FROM etl.tombstone)").fetchone()
    assert rows == (found.proved.versions,)
    assert (found.here, found.copies) == (3, None)
    told = found.as_dict()
    assert (told["status"], told["records"]) == ("ok", len(found.chain.hashes))


def test_what_records_say(made: Path) -> None:
    """Each load and commit has an intent and an outcome, with counts and versions; files are told by hashes."""
    _, records = records_of(made)
    steps = [(one["action"], one["phase"], one.get("outcome")) for one in records]
    commit = [("commit", "intent", None), ("commit", "outcome", "ok")]
    first = [("load", "intent", None), *commit * 4, ("load", "outcome", "quarantined")]
    assert steps[: len(first) + 1] == [("trail.begin", "event", None), *first]
    by_number = {one["n"]: one for one in records}
    for one in records:
        if one["phase"] == "outcome":
            assert by_number[one["re"]]["phase"] == "intent"
    outcome = next(one for one in records if one["action"] == "load" and one["phase"] == "outcome")
    counts = outcome["detail"]["counts"]["Medication"]
    assert (counts["read"], counts["quarantined"]) == (7, 1)
    whole = [one for one in outcome["detail"]["versions"] if one["kind"] == "rows"]
    assert [(one["type"], one.get("part")) for one in whole] == [("Medication", None)]
    who = records[1]["who"]
    assert who["pid"] == os.getpid()
    assert who["user"]


def test_no_patient_in_it(made: Path) -> None:
    """No name of a file, no id and no value stands in any file of the trail."""
    for path in made.with_name("m.audit").iterdir():
        assert CANARY.encode() not in path.read_bytes()
        assert b"ndjson" not in path.read_bytes()


_ADDED = "INSERT INTO stored.medication BY NAME SELECT * REPLACE ('x' AS id) FROM stored.medication"
TAMPERINGS = {
    "row gone": ("DELETE FROM stored.medication WHERE id LIKE '%-b'", "and there were"),
    "row renamed": ("UPDATE stored.medication SET id = 'other' WHERE id LIKE '%-b'", "are not those that were loaded"),
    "other content": ("UPDATE stored.medication SET content_hash = 'x' WHERE id LIKE '%-b'", "are not those"),
    "other load": ("UPDATE stored.medication SET load_id = 'mine'", "and there were|the mart has none"),
    "row added": (_ADDED, "and there were"),
    "history gone": ("DELETE FROM stored_history.medication", "and there were|the mart has none"),
    "delete undone": ("DELETE FROM etl.tombstone", "has none of the 1 deletes of Medication"),
    "commit gone": ("DELETE FROM etl.commit WHERE number = 2", "lacks the commit"),
    "commit without record": ("UPDATE etl.commit SET trail = NULL WHERE number = 3", "commit 3 of the mart has no"),
    "commit of another trail": ("UPDATE etl.commit SET trail = 'x' WHERE number = 3", "by the audit trail x"),
    "commit of another record": ("UPDATE etl.commit SET record_hash = 'x' WHERE number = 3", "is not the one that"),
    "commit with other versions": ("UPDATE etl.commit SET versions = '[]' WHERE number = 2", "is not as its audit"),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_mart_that_was_altered(mart: Path, name: str) -> None:
    """What somebody did to rows, history, deletes or commits behind the trail's back is found."""
    sql, said = TAMPERINGS[name]
    with duckdb.connect(str(mart)) as connection:
        connection.execute(sql)
    found = verify(mart)
    assert any(part in _said(found) for part in said.split("|")), _said(found)


def test_versions_named_anew(mart: Path) -> None:
    """What takes versions out and says so leaves a mart that is proved; all else is still found."""
    with audited(mart, "erase", reason="asked for") as act, duckdb.connect(str(mart)) as connection:
        connection.execute("DELETE FROM stored.medication WHERE id LIKE '%-b'")
        connection.execute("DELETE FROM stored_history.medication WHERE id LIKE '%-a'")
        anchor_anew(act, connection)
    assert _said(verify(mart)) == ""
    run_load(MemorySource({"e.ndjson": medication("e")}), _settings(mart))
    assert _said(verify(mart)) == ""
    with duckdb.connect(str(mart)) as connection:
        connection.execute("DELETE FROM stored.medication WHERE id LIKE '%-c'")
    assert "and there were" in _said(verify(mart))


def test_erasing_is_on_record(tmp_path: Path) -> None:
    """Who was taken out is missed by nobody; why is told, and who is not."""
    people = [{"resourceType": "Patient", "id": f"{CANARY}-{n}", "birthDate": "1970-01-01"} for n in "ab"]
    files = {"p.ndjson": b"".join(json.dumps(one).encode() + b"\n" for one in people)}
    run_load(MemorySource(files), _settings(tmp_path / "m"))
    asked = [Asked(id=f"{CANARY}-a", source="s")]
    assert erase(EraseRequest(tmp_path / "m", asked, "she asked", dry_run=True)).people == 1
    assert erase(EraseRequest(tmp_path / "m", asked, "she asked")).people == 1
    found = verify(tmp_path / "m")
    assert _said(found) == ""
    assert found.proved is not None
    assert (found.proved.commits, found.proved.versions) == (2, 1)
    _, records = records_of(tmp_path / "m")
    told = [(one["action"], one["phase"], one.get("why")) for one in records if one["action"].startswith("erase")]
    assert told == [
        ("erase.dry-run", "event", "she asked"),
        ("erase", "intent", "she asked"),
        ("erase", "outcome", None),
    ]
    assert CANARY not in json.dumps(records)


def test_cut_tail_is_told_by_the_mart(mart: Path) -> None:
    """Also where the checkpoints are gone with the records; the next load refuses to go on."""
    folder = mart.with_name("m.audit")
    path = folder / "000001.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:5]))
    (folder / "checkpoints.jsonl").unlink()
    (folder / "head.json").unlink()
    found = verify(mart)
    assert (found.faults[0].number, found.faults[0].line) == (6, 5)
    assert "are gone" in found.faults[0].what
    with pytest.raises(IntegrityError, match="clinmart audit restart"):
        run_load(MemorySource({"e.ndjson": medication("e")}), _settings(mart))
    aside = restart(mart, "records were lost with a disk")
    assert aside is not None
    assert _said(verify(mart)) == ""
    assert run_load(MemorySource({"e.ndjson": medication("e")}), _settings(mart)).status == "ok"
    assert _said(verify(mart)) == ""


def test_trail_that_is_gone(mart: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A mart without its trail can be loaded into, which warns; to verify it fails until that was taken note of."""
    shutil.rmtree(mart.with_name("m.audit"))
    assert "there is no audit trail" in _said(verify(mart))
    run_load(MemorySource({"e.ndjson": medication("e")}), _settings(mart))
    assert "told of by another audit trail" in caplog.text
    assert "commit 1 of the mart is told of by the audit trail" in _said(verify(mart))
    restart(mart, "moved here without it")
    assert _said(verify(mart)) == ""
    with pytest.raises(UsageError, match="no mart"):
        verify(mart.with_name("none"))


_TORN = """
import stores.audit.segments
really = os.pwrite
def torn(descriptor, data, at):
    if b'"outcome"' not in bytes(data):
        return really(descriptor, data, at)
    really(descriptor, data[:40], at)
    os._exit(9)
os.pwrite = torn
"""
KILLS = {
    "before the transaction": ("flows.session.commit = lambda *_, **__: os._exit(9)", "rolled back"),
    "after the commit": ("flows.audit_session.CommitAct.made = lambda *_: os._exit(9)", "ok"),
    "in the middle of a record": (_TORN, "ok"),
}


@pytest.mark.parametrize("name", KILLS)
def test_killed_between_intent_and_outcome(tmp_path: Path, name: str) -> None:
    """The next load says what became of the commit, as the mart has it, and of the load."""
    program, outcome = KILLS[name]
    (tmp_path / "in.ndjson").write_bytes(medication("a") + b"\n")
    command = f"import os, flows.audit_session, flows.session\n{program}\nfrom flows.cli.main import main\nmain()"
    arguments = ["load", tmp_path / "in.ndjson", "--mart", tmp_path / "m", "--source", "s"]
    assert subprocess.run([sys.executable, "-c", command, *map(str, arguments)], check=False).returncode == 9
    run_load(MemorySource({"b.ndjson": medication("b")}), _settings(tmp_path / "m"))
    _, records = records_of(tmp_path / "m")
    settled = {one["re"]: one for one in records if one["phase"] == "outcome"}
    commit = next(one for one in records if one["action"] == "commit")
    load = next(one for one in records if one["action"] == "load")
    assert settled[commit["n"]]["outcome"] == outcome
    assert (settled[commit["n"]].get("detail", {}).get("recovered", False)) == (outcome == "ok")
    assert settled[load["n"]]["outcome"] == "interrupted"
    assert all(one["n"] in settled for one in records if one["phase"] == "intent")
    assert any(one["action"] == "trail.torn" for one in records) == (name == "in the middle of a record")
    found = verify(tmp_path / "m")
    assert _said(found) == ""
    assert found.proved is not None
    assert found.proved.versions == 1 + (outcome == "ok")


def test_no_trail_no_load(tmp_path: Path) -> None:
    """Where nothing can be recorded nothing is loaded, and no mart is made: exit code 5."""
    (tmp_path / "m.audit").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be written") as caught:
        run_load(MemorySource(FILES), _settings(tmp_path / "m"))
    assert caught.value.exit_code == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.audit", "m.lock"]


def _fails_from(number: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From so many writes of records on none can be made; the way out is returned."""
    left, really = [number], segments._write

    def write(descriptor: int, data: bytes, at: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        really(descriptor, data, at)

    monkeypatch.setattr("stores.audit.segments._write", write)
    return lambda: left.__setitem__(0, 10**6)


@pytest.mark.parametrize("writes", range(6))
def test_disk_that_becomes_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int) -> None:
    """Whichever record cannot be written: exit code 5, mart and trail say the same, and the next load goes on."""
    again = _fails_from(writes, monkeypatch)
    files = {name: medication(name) for name in ("a.ndjson", "b.ndjson")}
    with pytest.raises(StorageError, match="audit trail"):
        run_load(MemorySource(files), _settings(tmp_path / "m", unit_bytes=1))
    again()
    assert run_load(MemorySource(files), _settings(tmp_path / "m")).total().read == 2
    _, records = records_of(tmp_path / "m")
    settled = {one["re"] for one in records if one["phase"] == "outcome"}
    assert all(one["n"] in settled for one in records if one["phase"] == "intent")
    assert _said(verify(tmp_path / "m")) == ""


def test_failed_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails is on record by its kind, not by its text."""

    def fails(*_: object, **__: object) -> None:
        raise duckdb.OutOfMemoryException(CANARY)

    monkeypatch.setattr("flows.session.commit", fails)
    with pytest.raises(StorageError):
        run_load(MemorySource(FILES), _settings(tmp_path / "m"))
    _, records = records_of(tmp_path / "m")
    told = [(one["action"], one["outcome"], one["detail"].get("error")) for one in records if one["phase"] == "outcome"]
    assert told == [("commit", "rolled back", "OutOfMemoryException"), ("load", "failed", "StorageError")]
    assert CANARY not in json.dumps(records)


def test_signatures_that_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where no checkpoint can be copied the load stands, and says so."""
    monkeypatch.setenv("CLINMART_AUDIT_COPY", str(tmp_path / "none"))
    assert run_load(MemorySource({"a.ndjson": medication("a")}), _settings(tmp_path / "m")).status == "ok"
    assert "has no signed checkpoint" in caplog.text


@pytest.fixture
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A second place of checkpoints."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.setenv("CLINMART_AUDIT_COPY", str(folder))
    yield folder


def test_copies_tell_of_a_trail_made_anew(tmp_path: Path, copies: Path) -> None:
    """Mart, trail and keyring of a forger agree with each other; the copy elsewhere does not."""
    (tmp_path / "real").mkdir()
    mart = tmp_path / "real" / "m"
    run_load(MemorySource({"a.ndjson": medication("a")}), _settings(mart))
    with audited(mart, "deidentify", where={"table": "medication"}, reason="study 7") as act:
        act.detail["rows"] = 1
    found = verify(mart)
    assert (found.copies, _said(found)) == (2, "")
    note(mart, "status")
    path = mart.with_name("m.audit") / "000001.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert _said(verify(mart)) == ""  # of what came after the last checkpoint nothing is told
    keys = mart.with_name("m.keys").rename(tmp_path / "keys")
    shutil.rmtree(mart.parent)
    mart.parent.mkdir()
    keys.rename(mart.with_name("m.keys"))
    run_load(MemorySource({"a.ndjson": medication("a", "forged")}), _settings(mart))
    assert "another was put in its place" in _said(verify(mart))


def test_failing_act(tmp_path: Path) -> None:
    """An act that fails is on record as failed, one that was drained as that."""
    mart = tmp_path / "m"
    with pytest.raises(ZeroDivisionError), audited(mart, "publish"):
        raise ZeroDivisionError(CANARY)
    with pytest.raises(SystemExit), audited(mart, "repair"):
        raise SystemExit(143)
    with pytest.raises(UsageError, match="no view"):
        _drop(mart)
    _, records = records_of(mart)
    told = [(one["action"], one["outcome"], one.get("detail")) for one in records if one["phase"] == "outcome"]
    failed = ("publish", "failed", {"error": "ZeroDivisionError"})
    assert told[:2] == [failed, ("repair", "drained", {"exit_code": 143})]
    assert told[-1] == ("view.drop", "failed", {"error": "UsageError", "exit_code": 2})
    assert not trail_of(mart).open_intents()


def _drop(mart: Path) -> None:
    run_load(MemorySource({"a.ndjson": medication("a")}), _settings(mart))
    drop_from_mart("none", mart, 0.0)
