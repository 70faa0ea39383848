"""`clinmart retain`: what is older than its policy goes, to the instant, and what is held stays."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows.retention import retain
from schemas.errors import UsageError
from schemas.retention import Age, Policy
from sources.bulk_export.job import Job, write_job
from sources.retention import parse_policy
from tests.flows.erased_world import run
from tests.flows.inputs import query, write

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)


def _row(kind: str, ident: str, at: datetime, version: str = "1", **more: object) -> bytes:
    meta = {"versionId": version, "lastUpdated": at.isoformat()}
    return json.dumps({"resourceType": kind, "id": ident, "meta": meta, **more}).encode()


def _observation(ident: str, at: datetime, who: str = "p") -> bytes:
    told = {"status": "final", "code": {"text": "x"}, "subject": {"reference": f"Patient/{who}"}}
    return _row("Observation", ident, at, **told)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mart with rows at the edge of 90 days before NOW, in two sources, and lines that were refused."""
    folder = tmp_path_factory.mktemp("old")
    edge = NOW - timedelta(days=90)
    for source in ("a", "b"):
        write(
            folder / source / "x.ndjson",
            _row("Patient", "p", NOW),
            _row("Patient", "q", NOW - timedelta(days=2), "1"),
            _row("Patient", "q", NOW - timedelta(days=1), "2", gender="female"),
            _observation("at-edge", edge),
            _observation("before-edge", edge - timedelta(microseconds=1)),
            _observation("held", edge - timedelta(days=1), "q"),
            _row("List", "l", edge - timedelta(days=1), status="current", mode="working"),
            b"{broken",
        )
        assert run("load", folder / source, "--mart", folder / "m.duckdb", "--source", source)[0] == 3
    return folder


@pytest.fixture
def mart(world: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    copy = tmp_path / "m.duckdb"
    for path in world.glob("m.duckdb*"):
        if path.is_file():
            copy.with_name(path.name).write_bytes(path.read_bytes())
    return copy


def _policy(text: str) -> Policy:
    return parse_policy(text.encode(), "p.yaml")


def _ids(mart: Path, table: str = "observation") -> list[str]:
    return [f"{source}:{ident}" for source, ident in query(mart, f"SELECT source, id FROM {table} ORDER BY ALL")]


@pytest.mark.parametrize(
    ("age", "day"),
    [
        (Age(1, 0, ""), datetime(2026, 5, 30, 12, tzinfo=UTC)),
        (Age(4, 0, ""), datetime(2026, 2, 28, 12, tzinfo=UTC)),
        (Age(28, 0, ""), datetime(2024, 2, 29, 12, tzinfo=UTC)),
        (Age(72, 0, ""), datetime(2020, 6, 30, 12, tzinfo=UTC)),
        (Age(0, 30, ""), datetime(2026, 5, 31, 12, tzinfo=UTC)),
    ],
)
def test_ages_are_of_the_calendar(age: Age, day: datetime) -> None:
    """A month that is shorter ends with its last day."""
    assert age.before(NOW) == day


def test_records_go_to_the_instant_and_as_the_dry_run_said(mart: Path) -> None:
    """What is exactly as old as the policy says stays."""
    policy = _policy("keep: {records: 90 days}")
    dry = retain(mart, policy, dry_run=True, now=NOW)
    assert len(_ids(mart)) == 6
    done = retain(mart, policy, now=NOW)
    assert (done.rows, done.files) == (dry.rows, dry.files)
    assert done.rows == {"records": {"stored.observation": 4, "stored.resource": 2}}
    assert _ids(mart) == ["a:at-edge", "b:at-edge"]
    assert _ids(mart, "resource") == []
    assert b"before-edge" not in mart.read_bytes()
    assert retain(mart, policy, now=NOW).rows == {"records": {}}


def test_records_by_their_load(mart: Path) -> None:
    """All came today, whatever time they tell."""
    policy = _policy("keep: {records: 1 day}\nrecords_since: load")
    assert retain(mart, policy, dry_run=True, now=datetime.now(UTC)).rows == {"records": {}}
    after = retain(mart, policy, dry_run=True, now=datetime.now(UTC) + timedelta(days=2))
    assert after.rows["records"]["stored.observation"] == 6
    assert after.rows["records"]["stored_history.patient"] == 2


def test_history_quarantine_and_logs_go_by_when_they_were_made(mart: Path) -> None:
    """Loads of today are a year old in a year."""
    policy = _policy("keep: {history: 2 months, quarantine: 8 weeks, logs: 1 year}")
    assert all(not rows for rows in retain(mart, policy, now=datetime.now(UTC)).rows.values())
    done = retain(mart, policy, now=datetime.now(UTC) + timedelta(days=366))
    assert done.rows["history"] == {"stored_history.patient": 2}
    assert done.rows["quarantine"] == {"etl.quarantine": 2}
    assert query(mart, "SELECT count(*) FROM history.patient") == [(0,)]
    assert query(mart, "SELECT count(*) FROM main.patient") == [(4,)]
    assert query(mart, "SELECT count(*) FROM etl.quarantine") == [(0,)]


def test_what_is_held_stays(mart: Path, tmp_path: Path) -> None:
    """A source, a class, a patient by token."""
    people = write(tmp_path / "people", b"b:q")
    (token,) = run("retain", "token", "--mart", mart, "--patients", people)[1]["tokens"]
    keep = "keep: {records: 90 days, quarantine: 1 day}\n"
    held = retain(mart, _policy(keep + "holds: [{why: x, source: a}]"), dry_run=True, now=NOW)
    assert held.rows["records"] == {"stored.observation": 2, "stored.resource": 1}
    held = retain(mart, _policy(keep + "holds: [{why: x, class: records}]"), dry_run=True, now=NOW)
    assert "records" not in held.rows and held.notes == ["records is held"]
    assert retain(mart, _policy(keep + "holds: [{why: x}]"), dry_run=True, now=NOW).rows == {}
    policy = _policy(keep + f"holds: [{{why: x, patient: {token}}}]")
    done = retain(mart, policy, now=NOW)
    assert done.rows["records"] == {"stored.observation": 3, "stored.resource": 1}
    assert "b:held" in _ids(mart) and "a:held" not in _ids(mart)
    # Nobody who is held is erased.
    code, _, err = run("erase", "--mart", mart, "--patients", people, "--reason", "r")
    assert (code, "legal hold" in err) == (2, True)
    assert run("erase", "--mart", mart, "--patients", people, "--reason", "r", "--despite-hold")[0] == 0
    assert "b:held" not in _ids(mart)


def test_files_go_by_their_age(mart: Path) -> None:
    """Exports that were loaded, logs set aside, what a dead load left; not an export that was never loaded."""
    landing, old = mart.with_name("m.duckdb.landing"), (NOW - timedelta(days=91)).timestamp()
    for name, loaded in (("one", True), ("two", False), ("new", True)):
        write(landing / name / "manifest.json", b"{}")
        write_job(landing / name, Job("r", "s", landed=True, loaded=loaded))
        at = old if name != "new" else NOW.timestamp()
        os.utime(landing / name / "manifest.json", (at, at))
    log = write(mart.with_name("m.duckdb.wal.damaged-1"), b"x")
    stage = mart.with_name("m.duckdb.staging") / "dead"
    stage.mkdir(parents=True)
    for path in (log, stage):
        os.utime(path, (old, old))
    policy = _policy("keep: {landing: 90 days, logs: 90 days, staged: 1 day}")
    dry = retain(mart, policy, dry_run=True, now=NOW)
    assert dry.files == {"landing": [str(landing / "one")], "logs": [str(log)], "staged": [str(stage)]}
    assert "never loaded" in dry.notes[0]
    assert retain(mart, policy, now=NOW).files == dry.files
    assert sorted(path.name for path in landing.iterdir()) == ["new", "two"]
    assert not log.exists() and not stage.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("keep: {record: 1 day}", "line 1: keep has a key 'record'; known are .* \\(did you mean records\\?\\)"),
        ("keep:\n  records: 6 yaers", "line 2: '6 yaers' is no age"),
        ("keep: {audit: 5 years}", "too short for the audit trail"),
        ("keep: {audit: 2195 days}", "too short for the audit trail"),
        ("keep: {records: 1 day}\nholds: [{source: a}]", "line 2: a hold says why"),
        ("keep: {records: 1 day}\nholds: [{why: x, patient: Jane}]", "line 2: a patient is held by token"),
        ("holds: [{why: x, class: record}]", "did you mean records"),
        ("keep: {records: 1 day}\nrecords_since: loaf", "did you mean load"),
        ("", "is empty"),
        ("{}", "nothing under keep or holds"),
        ("keep: {records: 2000 years}", "give forever"),
    ],
)
def test_a_bad_policy_is_told_with_its_line(text: str, said: str) -> None:
    """And with the name that was meant."""
    with pytest.raises(UsageError, match=said):
        _policy(text)


def test_for_ever_is_for_ever() -> None:
    """As a class that is not named."""
    assert _policy("keep: {records: forever, audit: 6 years}").ages.keys() == {"audit"}


def test_the_flow_is_the_same(mart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prefect's flow applies the policy's file; here without a server."""
    module = pytest.importorskip("flows.retain")
    shown: list[str] = []
    monkeypatch.setattr(module, "create_markdown_artifact", lambda *, markdown, key: shown.append(key + markdown))
    policy = write(tmp_path / "policy.yaml", b"keep: {quarantine: 36500 days}")
    done = module.retain.fn(str(mart), str(policy))
    assert (done["status"], done["rows"]) == ("done", {"quarantine": {}})
    assert shown and '"status": "done"' in shown[0]
