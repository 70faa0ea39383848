"""Loading from the command line: the report, receipts, locks, kill -9, and no patient's value anywhere."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.records import DISPOSITIONS
from stores.lock import loader_lock
from tests.flows.inputs import Outcome, contents, medication, query, write

Clinmart = Callable[..., Outcome]


def _load(clinmart: Clinmart, inputs: Path, mart: Path, *more: object) -> Outcome:
    return clinmart("load", inputs, "--mart", mart, "--source", "s", "--json", *more)


def test_json_is_the_contract(clinmart: Clinmart, tmp_path: Path) -> None:
    """One JSON object with the promised keys on stdout, nothing on stderr; dispositions add up."""
    lines = write(tmp_path / "in.ndjson", medication("a"), medication("a"), b'{"resourceType":"Basic","id":"b"}', b"{")
    outcome = _load(clinmart, lines, tmp_path / "m")
    assert outcome.code == 3
    assert outcome.err == ""
    report = outcome.json
    promised = {"load_id", "source", "status", "resources", "tables", "bytes", "seconds"}
    assert promised <= set(report)
    assert (report["source"], report["status"]) == ("s", "quarantined")
    assert report["tables"] == {"medication": 1, "resource": 1}
    assert report["bytes"] == lines.stat().st_size
    assert set(report["resources"]) == {"Medication", "Basic", "Unknown"}
    for counts in report["resources"].values():
        assert set(counts) == {"read", *DISPOSITIONS}
        assert counts["read"] == sum(counts[name] for name in DISPOSITIONS)


def test_report_for_people(clinmart: Clinmart, tmp_path: Path) -> None:
    """Without --json a table says what became of the lines."""
    lines = write(tmp_path / "in.ndjson", medication("a"))
    outcome = clinmart("load", lines, "--mart", tmp_path / "m", "--source", "s")
    assert (outcome.code, outcome.err) == (0, "")
    assert b"Medication" in outcome.out
    assert b"ok: 1 resources" in outcome.out


def _counts(outcome: Outcome) -> tuple[int, int, int, int]:
    total = [sum(c[name] for c in outcome.json["resources"].values()) for name in ("read", *DISPOSITIONS)]
    return total[0], total[1], total[3], total[4]  # read, applied, duplicate, quarantined


def test_known_files_are_not_read_again(clinmart: Clinmart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file, or a renamed copy of it, is all duplicates the second time and never opened for reading."""
    lines = write(tmp_path / "in.ndjson", medication("a"), medication("b", updated=None), b"{")
    mart = tmp_path / "m"
    assert _counts(_load(clinmart, lines, mart)) == (3, 2, 0, 1)
    before = contents(mart)
    shutil.copy(lines, tmp_path / "copy.ndjson")

    def unread(*_: object, **__: object) -> None:
        raise AssertionError("it is read again")

    monkeypatch.setattr("sources.files.FileSource.read", unread)
    for path in (lines, tmp_path / "copy.ndjson"):
        outcome = _load(clinmart, path, mart)
        assert outcome.code == 3
        assert _counts(outcome) == (3, 0, 2, 1)
    assert contents(mart) == before
    assert query(mart, "SELECT count(*) FROM etl.receipt") == [(1,)]


def test_appended_file(clinmart: Clinmart, tmp_path: Path) -> None:
    """Of a file that grew only the new lines are applied; what stood in quarantine is not doubled."""
    lines, mart = tmp_path / "in.ndjson", tmp_path / "m"
    write(lines, medication("a"), b"{", medication("b"))
    _load(clinmart, lines, mart)
    write(lines, medication("a"), b"{", medication("b"), medication("c"), b"null")
    assert _counts(_load(clinmart, lines, mart)) == (5, 1, 2, 2)
    assert query(mart, "SELECT line FROM etl.quarantine ORDER BY line") == [(2,), (5,)]
    assert query(mart, "SELECT count(*) FROM medication") == [(3,)]


def test_later_time_is_read_again(clinmart: Clinmart, tmp_path: Path) -> None:
    """A later --as-of moves the time of rows without meta; an earlier one does not."""
    lines, mart = write(tmp_path / "in.ndjson", medication("a", updated=None), medication("b")), tmp_path / "m"
    for as_of, seen in (("2024-03-01", "2024-03-01"), ("2024-05-01", "2024-05-01"), ("2024-04-01", "2024-05-01")):
        _load(clinmart, lines, mart, "--as-of", f"{as_of}T00:00:00Z")
        assert query(mart, "SELECT last_updated::DATE::VARCHAR FROM medication WHERE id = 'a'") == [(seen,)]
    assert query(mart, "SELECT count(*) FROM history.medication") == [(0,)]


def test_second_loader(clinmart: Clinmart, tmp_path: Path) -> None:
    """While another loader is at work a load ends with 6 and one line that names its process."""
    lines, mart = write(tmp_path / "in.ndjson", medication("a")), tmp_path / "m"
    with loader_lock(mart):
        outcome = clinmart("load", lines, "--mart", mart, "--source", "s")
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (6, b"", 1)
    assert f"process {os.getpid()}" in outcome.err
    assert not mart.exists()


def test_mart_open_elsewhere(clinmart: Clinmart, tmp_path: Path) -> None:
    """A mart that is open in another process is exit 6 in one line; with --wait the load goes on when it is free."""
    lines, mart = write(tmp_path / "in.ndjson", medication("a")), tmp_path / "m"
    assert _load(clinmart, lines, mart).code == 0
    hold = "import sys, duckdb; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", hold, str(mart)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        for arguments in (("load", lines, "--source", "s"), ("status",)):
            outcome = clinmart(*arguments, "--mart", mart)
            assert (outcome.code, outcome.err.count("\n")) == (6, 1)
            assert f"process {other.pid}" in outcome.err
        timer = threading.Timer(0.3, other.stdin.close)
        timer.start()
        assert _load(clinmart, lines, mart, "--wait", 60).code == 0
        timer.join()


MOMENTS: dict[str, Callable[[Path], bool]] = {
    "as the lock is taken": lambda mart: mart.with_name("m.lock").exists(),
    "as staging begins": lambda mart: any(mart.with_name("m.staging").rglob("*.parquet")),
    "when much is staged": lambda mart: len(list(mart.with_name("m.staging").rglob("*.parquet"))) > 15,
    "in the commit": lambda mart: (
        mart.with_name("m.wal").exists() and any(mart.with_name("m.staging").rglob("observation*"))
    ),
}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[str]]]:
    """An export with faults, and what an undisturbed load makes of it."""
    folder = tmp_path_factory.mktemp("reference")
    for arguments in (
        ["synth", folder / "in", "--patients", 2, "--dirty", 0.02],
        ["load", folder / "in", "--mart", folder / "m", "--source", "s", "--sample", 0],
    ):
        ran = subprocess.run(
            [sys.executable, "-m", "flows.cli.main", *map(str, arguments)], stdout=subprocess.DEVNULL, check=False
        )
        assert ran.returncode in (0, 3)
    return folder / "in", contents(folder / "m")


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_load(
    clinmart: Clinmart, tmp_path: Path, reference: tuple[Path, dict[str, list[str]]], moment: str
) -> None:
    """After kill -9 the mart holds all or nothing; a re-run ends as an undisturbed load does, and no rest stays."""
    inputs, expected = reference
    mart = tmp_path / "m"
    arguments = ["load", inputs, "--mart", mart, "--source", "s", "--sample", 0]
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli.main", *map(str, arguments)], stdout=subprocess.DEVNULL
    )
    while process.poll() is None and not _reached(MOMENTS[moment], mart):
        os.sched_yield()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL
    if mart.exists() and clinmart("status", "--mart", mart).code == 0:
        assert query(mart, "SELECT count(*) FROM etl.receipt")[0][0] in (0, len(list(inputs.glob("*.ndjson"))))
    assert _load(clinmart, inputs, mart, "--sample", 0).code == 3
    assert contents(mart) == expected
    assert not mart.with_name("m.staging").exists()


def _reached(moment: Callable[[Path], bool], mart: Path) -> bool:
    try:
        return moment(mart)
    except FileNotFoundError:  # a folder went while it was walked
        return False


CANARY = "Zq9Canary"


def _canary_patient() -> dict[str, object]:
    return {
        "resourceType": "Patient",
        "id": CANARY,
        "name": [{"family": CANARY, "given": [CANARY], "text": CANARY}],
        "identifier": [{"system": f"http://{CANARY}.org", "value": CANARY}],
        "telecom": [{"system": "phone", "value": CANARY}],
        "address": [{"line": [CANARY], "city": CANARY, "postalCode": CANARY}],
        "contact": [{"name": {"family": CANARY}}],
        "text": {"status": "generated", "div": f"<div>{CANARY}</div>"},
        "photo": [{"title": CANARY}],
    }


def _canary_lines() -> list[bytes]:
    good = _canary_patient()
    bad: list[dict[str, object]] = [
        {**good, "birthDate": CANARY},
        {**good, "gender": CANARY},
        {**good, "active": CANARY},
        {**good, "name": CANARY},
        {**good, "id": f"{CANARY} {CANARY}"},
        {**good, "resourceType": CANARY},
        {**good, "meta": {"lastUpdated": CANARY}},
        {**good, "managingOrganization": {"reference": f"{CANARY} {CANARY}"}},
        {**good, "multipleBirthInteger": CANARY},
    ]
    text = json.dumps(good).encode()
    more = [text[:-5], b"x" + text, text + b" " + text, text.replace(b'"id"', b'"id": "x", "id"'), b"\xff" + text]
    return [text, *(json.dumps(line).encode() for line in bad), *more]


def _canary_keys() -> list[bytes]:
    good = _canary_patient()
    text = json.dumps(good).encode()
    unknown = json.dumps({**good, "id": "key", CANARY: {CANARY: 1}}).encode()
    return [text, unknown, text[:-1] + f', "{CANARY}": 1, "{CANARY}": 2}}'.encode(), b"{"]


@pytest.mark.parametrize("rate", ["0.999999", "1"])
@pytest.mark.parametrize(
    "planted",
    [
        pytest.param(_canary_lines, id="values"),
        pytest.param(_canary_keys, id="keys"),
    ],
)
def test_canary(clinmart: Clinmart, tmp_path: Path, planted: Callable[[], list[bytes]], rate: str) -> None:
    """What identifies a patient is in tables, payloads and ids, and nowhere else: no output, no message, no path."""
    lines, mart = write(tmp_path / "in.ndjson", *planted()), tmp_path / "m"
    said = [
        _load(clinmart, lines, mart, "--sample", rate),
        clinmart("load", lines, "--mart", tmp_path / "m2", "--source", "s", "--sample", rate),
        clinmart("load", lines, "--mart", tmp_path / "m3", "--source", "s", "--strict"),
        clinmart("status", "--mart", mart),
        clinmart("status", "--mart", mart, "--json"),
    ]
    assert [outcome.code for outcome in said] == [3, 3, 4, 0, 0]
    for outcome in said:
        assert CANARY not in outcome.out.decode() + outcome.err
    assert query(mart, "SELECT count(*) > 0 FROM etl.quarantine") == [(True,)]
    found = query(mart, "SELECT reason, column_name, check_name, message, uri, resource_type FROM etl.quarantine")
    found += query(mart, "FROM etl.load") + query(mart, "FROM etl.receipt") + query(mart, "FROM etl.unread")
    found += query(mart, "SELECT * EXCLUDE (id) FROM etl.validation")
    assert [row for row in found if CANARY in repr(row)] == []


def test_notes_reach_the_mart(clinmart: Clinmart, tmp_path: Path) -> None:
    """In the same commit as their rows, by load; a refused row has none, and loading again adds none."""
    mart, leap = tmp_path / "m", "2016-12-31T23:59:60Z"
    lines = [medication("a", updated=leap), medication("b"), medication("c", updated=leap, status="bogus")]
    file = write(tmp_path / "in.ndjson", *lines)
    assert _load(clinmart, file, mart, "--sample", "0", "--zone", "Europe/Berlin").code == 3
    assert _load(clinmart, file, mart, "--sample", "0").code == 3
    said = "SELECT source, resource_type, v.id, finding, path, code, load_id = l FROM etl.validation v, "
    said += "(SELECT min(load_id) l FROM etl.load)"
    assert query(mart, said) == [("s", "Medication", "a", "note", "last_updated", "leap_second", True)]
    assert list(tmp_path.glob("m.staging")) == []


@pytest.mark.parametrize("name", ["labs.csv", "labs.tsv.gz", "labs.parquet"])
def test_a_table_needs_a_mapping(clinmart: Callable[..., Outcome], tmp_path: Path, name: str) -> None:
    """It is not taken for JSON: what to do is said in one line. A folder may hold tables besides."""
    (tmp_path / name).write_bytes(b"a,b\n")
    write(tmp_path / "m.ndjson", medication("a"))
    refused = clinmart("load", tmp_path / name, "--mart", tmp_path / "m", "--source", "s")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "is a table" in refused.err
    assert "clinmart map init" in refused.err
    assert not (tmp_path / "m").exists()
    assert clinmart("load", tmp_path, "--mart", tmp_path / "m", "--source", "s").code == 0
