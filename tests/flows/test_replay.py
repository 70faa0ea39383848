"""The quarantine heals: lines that pass today's checks end where they would have been had they passed at first."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from flows.mart_views import add_to_mart
from flows.replay import ReplayReport, run_replay
from flows.runner import run_load
from flows.settings import LoadSettings
from schemas.errors import LockedError, StorageError, UsageError
from schemas.reasons import Reason
from schemas.records import LoadReport
from schemas.table import Table
from sources.files import FileSource
from sources.memory import MemorySource
from stores.lock import loader_lock
from stores.replays import Selection
from tests.flows.inputs import Outcome, contents, medication, query, write
from transforms.check import Failure
from transforms.check import check as real_check
from transforms.decode.careful import Fault
from transforms.sample import Sampling

NONE = Sampling(0)
T1 = datetime(2024, 3, 1, tzinfo=UTC)


@contextmanager
def strict(refuse: Callable[[str], bool] = lambda ident: ident.startswith("bad")) -> Iterator[None]:
    """Checks of another time, which refuse rows by their ids."""

    def check(frame: pl.DataFrame, table: Table) -> list[Failure]:
        fault = Fault(Reason.RULE_VIOLATED, "code", "A rule of then.")
        mine = [Failure(row, fault, "rule:then") for row, ident in enumerate(frame["id"]) if refuse(ident)]
        known = {failure.row for failure in mine}
        return sorted(mine + [f for f in real_check(frame, table) if f.row not in known], key=lambda f: f.row)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("transforms.partition.check", check)
        yield


def _load(mart: Path, files: dict[str, bytes] | Path, source: str = "s", **more: Any) -> LoadReport:
    read = FileSource([files]) if isinstance(files, Path) else MemorySource(files)
    report = run_load(read, LoadSettings(mart, source, sampling=NONE, **more))
    assert all(counts.balanced() for counts in report.resources.values())
    return report


def _replay(mart: Path, selection: Selection | None = None, attempts: int = 5) -> ReplayReport:
    report = run_replay(LoadSettings(mart, "any", sampling=NONE), selection or Selection(), attempts)
    assert all(counts.balanced() for counts in report.resources().values())
    return report


def _tables(mart: Path) -> dict[str, list[str]]:
    return {name: rows for name, rows in contents(mart).items() if not name.endswith("quarantine")}


def _states(mart: Path) -> list[tuple[Any, ...]]:
    return query(mart, "SELECT resource_id, state, attempts FROM etl.quarantine ORDER BY 1, 2")


def _lines(*lines: bytes) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def _version(ident: str, number: int) -> bytes:
    return medication(ident, f"v{number}", updated=f"2024-01-{number:02d}T00:00:00Z")


def _bare(ident: str, text: str) -> bytes:
    return medication(ident, text, updated=None)


def test_any_order_ends_as_if_it_had_passed(tmp_path: Path) -> None:
    """Versions older and newer than those in the mart, rows without a time, two sources: history too is the same."""
    files = [
        ("s", {"1.ndjson": _lines(_version("bad", 1), _bare("badly", "a"), medication("good"))}),
        ("s", {"2.ndjson": _lines(_version("bad", 3), _bare("badly", "b"))}),
        ("s", {"3.ndjson": _lines(_version("bad", 2), _bare("badly", "a"))}),
        ("t", {"1.ndjson": _lines(_version("bad", 1), _version("bad", 1))}),
    ]
    wanted = tmp_path / "wanted"
    for n, (source, content) in enumerate(files):
        _load(wanted, content, source, as_of=T1 + timedelta(days=n))
    assert len(_tables(wanted)["history.medication"]) == 3
    chance = random.Random(7)
    for number in range(4):
        mart = tmp_path / f"m{number}"
        refused = set(chance.sample(range(4), chance.randint(1, 4)))
        for n in chance.sample(range(4), 4):
            source, content = files[n]
            if n in refused:
                with strict():
                    _load(mart, content, source, as_of=T1 + timedelta(days=n))
            else:
                _load(mart, content, source, as_of=T1 + timedelta(days=n))
        assert _tables(mart) != _tables(wanted)
        report = _replay(mart)
        assert report.status == "ok"
        assert report.replayed == len(query(mart, "FROM etl.quarantine"))
        assert _tables(mart) == _tables(wanted)
        assert set(query(mart, "SELECT state, settled_by IS NOT NULL FROM etl.quarantine")) == {("replayed", True)}


def test_twice_changes_nothing(tmp_path: Path) -> None:
    """What was taken in is not taken again, and writes no load."""
    with strict():
        _load(tmp_path / "m", {"a.ndjson": _lines(medication("bad"), medication("good"))})
    assert _replay(tmp_path / "m").replayed == 1
    before = contents(tmp_path / "m"), query(tmp_path / "m", "FROM etl.load ORDER BY load_id")
    assert _replay(tmp_path / "m").as_dict() == ReplayReport().as_dict()
    assert (contents(tmp_path / "m"), query(tmp_path / "m", "FROM etl.load ORDER BY load_id")) == before


def test_load_is_a_replay_in_the_books(tmp_path: Path) -> None:
    """Rows carry the replay's load_id, and `etl.load` has it with its counts and kind."""
    with strict():
        first = _load(tmp_path / "m", {"a.ndjson": _lines(medication("bad"), medication("good"))})
    (load,) = _replay(tmp_path / "m").loads
    assert query(tmp_path / "m", "SELECT kind, status, resources[1].applied FROM etl.load ORDER BY started_at") == [
        ("load", "quarantined", 1),
        ("replay", "ok", 1),
    ]
    rows = query(tmp_path / "m", "SELECT id, load_id FROM medication ORDER BY id")
    assert rows == [("bad", load.load_id), ("good", first.load_id)]


def test_what_fails_is_counted_and_given_up(tmp_path: Path) -> None:
    """Attempts count up with today's reason and time; at the limit a line is dead and only asked for again."""
    mart = tmp_path / "m"
    with strict():
        _load(mart, {"a.ndjson": _lines(medication("bad1"), medication("bad2"), b"{")})
        first = _replay(mart, attempts=2)
        assert (first.status, first.replayed, first.open, first.dead) == ("quarantined", 0, 3, 0)
    with strict(lambda ident: ident == "bad2"):
        second = _replay(mart, attempts=2)
        assert (second.replayed, second.open, second.dead) == (1, 0, 2)
        assert second.resources()["Medication"].as_dict() == {
            "read": 2, "applied": 1, "superseded": 0, "duplicate": 0, "quarantined": 1, "suppressed": 0,
        }  # fmt: skip
    assert _states(mart) == [("bad1", "replayed", 1), ("bad2", "dead", 2), (None, "dead", 2)]
    times = query(mart, "SELECT count(*) FROM etl.quarantine WHERE last_attempt_at > quarantined_at")
    assert times == [(3,)]
    assert _replay(mart).as_dict() == ReplayReport().as_dict()
    dead = _replay(mart, Selection(dead=True))
    assert (dead.replayed, dead.open, dead.dead) == (1, 1, 0)
    assert _states(mart)[1:] == [("bad2", "replayed", 2), (None, "open", 3)]


def test_reason_of_today(tmp_path: Path) -> None:
    """A line that is refused again for another reason says so."""
    line = json.dumps({"resourceType": "Medication", "id": "bad", "status": "nonsense"}).encode()
    with strict():
        _load(tmp_path / "m", {"a.ndjson": _lines(line)})
    assert query(tmp_path / "m", "SELECT reason FROM etl.quarantine") == [("rule_violated",)]
    _replay(tmp_path / "m")
    found = query(tmp_path / "m", "SELECT reason, column_name, message <> 'A rule of then.' FROM etl.quarantine")
    assert found == [("code_not_in_value_set", "status", True)]


def test_selection(tmp_path: Path) -> None:
    """By reason, source, time and number, the oldest first."""
    mart = tmp_path / "m"
    with strict():
        _load(mart, {"a.ndjson": _lines(medication("bad1"), b"{")}, "s")
        cut = datetime.now(UTC)
        _load(mart, {"a.ndjson": _lines(medication("bad2"), medication("bad3"))}, "t")
    assert _replay(mart, Selection(source="nobody")).loads == []
    assert _replay(mart, Selection(reason="malformed_json")).open == 1
    assert _replay(mart, Selection(since=cut, source="s")).loads == []
    assert _replay(mart, Selection(since=cut, limit=1)).replayed == 1
    assert _states(mart)[:3] == [("bad1", "open", None), ("bad2", "replayed", 0), ("bad3", "open", None)]
    assert _replay(mart, Selection(limit=1)).replayed == 1
    assert _states(mart)[0] == ("bad1", "replayed", 0)


def test_counts_of_a_skipped_file_stay_true(tmp_path: Path) -> None:
    """A second load of the file counts as duplicate what was replayed, as quarantined what still stands."""
    mart, files = tmp_path / "m", {"a.ndjson": _lines(medication("bad1"), medication("bad2"), medication("good"), b"{")}
    with strict():
        _load(mart, files)
    with strict(lambda ident: ident == "bad2"):
        _replay(mart, attempts=1)
    again = _load(mart, files)
    kinds = {name: (c.read, c.duplicate, c.quarantined) for name, c in again.resources.items()}
    assert kinds == {"Medication": (3, 2, 1), "Unknown": (1, 0, 1)}
    _replay(mart, Selection(dead=True))
    again = _load(mart, files)
    assert (again.resources["Medication"].duplicate, again.resources["Medication"].quarantined) == (3, 0)


def test_same_line_in_two_receipts(tmp_path: Path) -> None:
    """A file that grew holds a refused line again: both versions of the file count it, and both count it out."""
    mart, before = tmp_path / "m", _lines(medication("bad"))
    after = before + _lines(medication("good"))
    with strict():
        _load(mart, {"a.ndjson": before})
        _load(mart, {"a.ndjson": after})
    assert _replay(mart).replayed == 1
    for content, lines in ((before, 1), (after, 2)):
        total = _load(mart, {"a.ndjson": content}).total()
        assert (total.read, total.duplicate, total.quarantined) == (lines, lines, 0)


def test_lines_of_a_bundle(tmp_path: Path) -> None:
    """A Bundle's references and the ids of its fullUrls are as they would have been, in a file and in NDJSON."""
    other = "urn:uuid:11111111-1111-1111-1111-111111111111"
    full = "urn:uuid:22222222-2222-2222-2222-222222222222"
    status = {"code": {"text": "x"}, "subject": {"reference": other}, "clinicalStatus": _coded("active")}
    entries = [
        {"fullUrl": other, "resource": {"resourceType": "Patient", "id": "pat"}},
        {"fullUrl": full, "resource": {"resourceType": "Condition", **status}},
        {"fullUrl": "urn:uuid:3", "resource": {"resourceType": "Condition", "id": "named", **status}},
    ]
    bundle = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}, indent=1).encode()
    line = json.dumps(json.loads(bundle)).encode() + b"\n"
    for name, content in (("a.json", bundle), ("a.ndjson", line)):
        wanted, mart = tmp_path / f"wanted-{name}", tmp_path / f"m-{name}"
        _load(wanted, {name: content}, as_of=T1)
        assert query(wanted, "SELECT DISTINCT patient_id FROM condition") == [("pat",)]
        with strict(lambda ident: ident != "pat"):
            _load(mart, {name: content}, as_of=T1)
        assert _replay(mart).replayed == 2
        assert _tables(mart) == _tables(wanted)


def _coded(code: str) -> dict[str, Any]:
    system = "http://terminology.hl7.org/CodeSystem/condition-clinical"
    return {"coding": [{"system": system, "code": code}]}


def test_bytes_are_the_same(tmp_path: Path) -> None:
    """Carriage returns and digits are as in the file: the content hash is the same, so the file adds nothing later."""
    line = medication("bad", amount={"numerator": {"value": 1}}).replace(b'"value": 1', b'"value": 1.10') + b"\r"
    with strict():
        _load(tmp_path / "m", {"a.ndjson": _lines(line)})
    _replay(tmp_path / "m")
    total = _load(tmp_path / "m", {"b.ndjson": _lines(line, medication("more"))}).total()
    assert (total.applied, total.duplicate) == (1, 1)
    assert query(tmp_path / "m", "SELECT count(*) FROM history.medication") == [(0,)]


def test_line_too_long_to_keep_stays(tmp_path: Path) -> None:
    """A line of which only the beginning is kept is never run, and said."""
    with strict():
        _load(tmp_path / "m", {"a.ndjson": _lines(medication("bad"))})
    with duckdb.connect(str(tmp_path / "m")) as connection:
        connection.execute("UPDATE etl.quarantine SET payload_bytes = payload_bytes + 1")
    report = _replay(tmp_path / "m")
    assert (report.cut_short, report.replayed, report.status) == (1, 0, "quarantined")
    assert _states(tmp_path / "m") == [("bad", "open", None)]


def test_refused_by_the_sample_is_judged_by_it(tmp_path: Path) -> None:
    """What `--sample 1` refused is not taken in because nobody looked."""
    line = json.dumps({"resourceType": "Medication", "id": "a", "code": {"text": "x"}, "unheard": 1}).encode()
    report = run_load(MemorySource({"a.ndjson": _lines(line)}), LoadSettings(tmp_path / "m", "s", sampling=Sampling(1)))
    assert report.total().quarantined == 1
    assert query(tmp_path / "m", "SELECT reason FROM etl.quarantine") == [("sample_invalid",)]
    assert _replay(tmp_path / "m").open == 1


def test_killed_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that dies leaves everything as it was; once more, and the tables are those of an undisturbed replay."""
    marts = [tmp_path / "a", tmp_path / "b"]
    for mart in marts:
        with strict():
            for source in ("s", "t"):
                _load(mart, {"a.ndjson": _lines(_version("bad", 1), _version("bad", 2), b"{")}, source, as_of=T1)
    _replay(marts[0])
    before = contents(marts[1])

    def broken(*_: object, **__: object) -> None:
        raise duckdb.OutOfMemoryException("no room")

    with monkeypatch.context() as patched:
        patched.setattr("stores.commit.save_load", broken)
        with pytest.raises(StorageError, match="rolled back"):
            _replay(marts[1])
    assert contents(marts[1]) == before
    _replay(marts[1])
    assert _tables(marts[1]) == _tables(marts[0])


def test_load_and_replay_exclude_each_other(tmp_path: Path) -> None:
    """Who holds the loader's lock is waited for."""
    with strict():
        _load(tmp_path / "m", {"a.ndjson": _lines(medication("bad"))})
    with loader_lock(tmp_path / "m"), pytest.raises(LockedError):
        _replay(tmp_path / "m")
    with pytest.raises(UsageError, match="--attempts is 0"):
        _replay(tmp_path / "m", attempts=0)
    with pytest.raises(UsageError, match="no mart"):
        _replay(tmp_path / "nothing")


def test_mart_that_did_not_keep_times(tmp_path: Path) -> None:
    """Lines of an older version take the time of their file's receipt; skipped files count right."""
    files = write(tmp_path / "a.ndjson", _bare("bad", "x"), medication("good"))
    wanted, mart = tmp_path / "wanted", tmp_path / "m"
    _load(wanted, files, as_of=T1)
    with strict():
        _load(mart, files, as_of=T1)
    with duckdb.connect(str(mart)) as connection:
        for column in ("as_of", "resolved", "attempts", "last_attempt_at", "settled_by", "settled_at"):
            connection.execute(f"ALTER TABLE etl.quarantine DROP COLUMN {column}")
        connection.execute("ALTER TABLE etl.receipt DROP COLUMN refused")
        connection.execute("UPDATE etl.mart SET models = 'older'")
    assert _replay(mart).replayed == 1
    assert _tables(mart) == _tables(wanted)
    total = _load(mart, files, as_of=T1).total()
    assert (total.duplicate, total.quarantined) == (2, 0)


def test_line_seen_again_takes_the_later_time(tmp_path: Path) -> None:
    """A file that is loaded again with a later time is refused again; its rows were seen then all the same."""
    wanted, mart, files = tmp_path / "wanted", tmp_path / "m", {"a.ndjson": _lines(_bare("bad", "x"))}
    for day in (0, 2, 1):
        _load(wanted, files, as_of=T1 + timedelta(days=day))
        with strict():
            _load(mart, files, as_of=T1 + timedelta(days=day))
    assert _replay(mart).replayed == 1
    assert _tables(mart) == _tables(wanted)


def test_row_refused_by_a_view_alone(tmp_path: Path) -> None:
    """It is replayed into the view's table; in the other tables it is a duplicate."""
    definition = {
        "resourceType": "ViewDefinition", "name": "names", "status": "active", "resource": "Patient",
        "select": [{"column": [{"name": "family", "path": "name.family", "type": "string"}]}],
    }  # fmt: skip
    mart, files = tmp_path / "m", {"a.ndjson": _lines(_patient("one", "A"), _patient("two", "A", "B"))}
    (tmp_path / "view.json").write_text(json.dumps(definition))
    add_to_mart(tmp_path / "view.json", mart, 0)
    _load(mart, files)
    assert _replay(mart).open == 1
    with duckdb.connect(str(mart)) as connection:  # a definition that takes the first name
        softer = json.dumps(definition).replace("name.family", "name.family.first()")
        connection.execute("UPDATE etl.view SET definition = ?", [softer])
    report = _replay(mart)
    assert (report.replayed, report.resources()["Patient"].duplicate) == (1, 1)
    assert query(mart, "SELECT resource_id, family FROM names ORDER BY 1") == [("one", "A"), ("two", "A")]
    again = _load(mart, files)
    assert (again.views, again.status) == ({}, "ok")


def _patient(ident: str, *names: str) -> bytes:
    return json.dumps({"resourceType": "Patient", "id": ident, "name": [{"family": n} for n in names]}).encode()


def test_codes_are_mapped_by_the_crosswalk_of_the_replay(clinmart: Callable[..., Outcome], tmp_path: Path) -> None:
    """What is taken in late is mapped as the load would have."""
    head = b"source_system,source_code,target_system,target_code,equivalence,map_version"
    maps = write(tmp_path / "map.csv", head, b"http://lab,A,http://loinc.org,718-7,equivalent,1")
    mart = tmp_path / "m"
    line = json.loads(medication("bad"))
    line["code"] = {"coding": [{"system": "http://lab", "code": "A"}]}
    with strict():
        _load(mart, {"a.ndjson": _lines(json.dumps(line).encode())})
    done = clinmart("quarantine", "replay", "--mart", mart, "--crosswalk", maps)
    assert (done.code, done.err) == (0, "")
    assert query(mart, "SELECT code, code_mapped FROM medication") == [("A", "718-7")]
    assert clinmart("quarantine", "replay", "--mart", mart, "--crosswalk", tmp_path / "none.csv").code == 2
