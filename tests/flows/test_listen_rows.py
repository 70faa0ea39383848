"""The rows of what a listener took in: those that a load of the same messages makes, whatever ends the listener."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from flows.keyring import mart_at
from flows.listen_commit import Message, Taken
from flows.listen_judge import Judge, message_chunk
from flows.listen_mart import MartCommitter, open_committer
from flows.listen_report import ListenReport
from flows.listen_rows import RowMaker
from flows.listen_stager import Stager
from flows.opening import open_session
from flows.replay import run_replay
from flows.runner import run_load
from flows.session import LoadSession
from flows.settings import LoadSettings
from schemas.errors import StorageError, TryAgainError
from schemas.reasons import Reason
from schemas.records import Chunk
from schemas.staged import StagedChunk
from sources.files import FileSource
from stores.mart import Mart
from stores.overview import overview
from stores.replays import Selection
from tests.flows.inputs import query
from tests.flows.listening import CANARY, PATIENCE, ThreadStager, now
from transforms.acknowledge.conditions import Condition

pytestmark = pytest.mark.usefixtures("staging_in_a_thread")
ROWS = "SELECT id, value_number, patient_id, last_updated, content_hash FROM observation ORDER BY id"


def _oru(control_id: str, *, born: str = "19700101", value: str = "7.1", at: str = "20260102030405+0100") -> Message:
    data = (
        f"MSH|^~\\&|LAB|HOSP|EHR|CLINIC|{at}||ORU^R01^ORU_R01|{control_id}|P|2.5.1\r"
        f"PID|1||p{control_id}^^^HOSP^MR||{CANARY}^Ann||{born}|F\r"
        f"OBR|1|P{control_id}|F{control_id}|58410-2^CBC^LN|||20260102030000+0100\r"
        f"OBX|1|NM|718-7^Hb^LN||{value}|g/dL|||||F\r"
    ).encode()
    return Message(data, ("LAB", "HOSP", control_id), data[-32:], now())


def _commit(committer: MartCommitter, *messages: Message) -> list[Taken]:
    """As the lanes do."""
    doubtful = [one for one in messages if committer.doubts(one.data)]
    taken = dict(zip(doubtful, committer.check_and_commit(doubtful), strict=True))
    rest = [one for one in messages if one not in doubtful]
    taken |= dict(zip(rest, committer.commit(rest), strict=True))
    return [taken[one].taken for one in messages]


def test_rows_are_those_of_a_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tables are the same as after a load of a file of these messages; the run's counts add up."""
    monkeypatch.setattr("flows.listen_rows.Stager", Stager)  # in a process of its own, as it is
    messages = [_oru(f"m{n}", value=f"{n}.5") for n in range(30)]
    report = ListenReport("s")
    with open_committer(LoadSettings(tmp_path / "m", "s"), report=report) as committer:
        assert set(_commit(committer, *messages)) == {Taken.APPLIED}
    file = tmp_path / "f.hl7"
    file.write_bytes(b"".join(message.data for message in messages))
    run_load(FileSource([str(file)]), LoadSettings(tmp_path / "other", "s"))
    assert len(query(tmp_path / "m", ROWS)) == 30
    assert query(tmp_path / "m", ROWS) == query(tmp_path / "other", ROWS)
    names = "SELECT id, name_family, birth_date FROM patient ORDER BY id"
    assert query(tmp_path / "m", names) == query(tmp_path / "other", names)
    assert (report.resources["Observation"].read, report.resources["Observation"].applied) == (30, 30)
    assert all(counts.balanced() for counts in report.resources.values())
    assert report.rows_waiting == 0
    ((inputs, status),) = query(tmp_path / "m", "SELECT inputs, status FROM etl.load")
    assert [(one["resource_type"], one["read"], one["applied"]) for one in inputs] == [("ORU_R01", 30, 30)]
    assert status == "drained"


def test_a_refused_message(tmp_path: Path) -> None:
    """It is kept and quarantined once, its sender is told why and where, and told again when it sends it again."""
    with open_committer(LoadSettings(tmp_path / "m", "s")) as committer:
        assert _commit(committer, _oru("1")) == [Taken.APPLIED]
        bad = _oru("2", born="19700230")
        assert committer.doubts(bad.data)
        (outcome,) = committer.check_and_commit([bad])
        assert outcome.taken is Taken.QUARANTINED
        assert outcome.problem is not None
        assert outcome.problem.condition is Condition.DATA_TYPE_ERROR
        assert outcome.problem.place == ("PID", 1, 0)
        assert CANARY not in outcome.problem.text
        (again,) = committer.check_and_commit([bad])
        assert (again.taken, again.problem and again.problem.condition) == (Taken.DUPLICATE, Condition.DATA_TYPE_ERROR)
    assert query(tmp_path / "m", "SELECT number, reason FROM etl.message ORDER BY 1") == [
        (1, None),
        (2, "invalid_time"),
    ]
    quarantined = query(tmp_path / "m", "SELECT uri, byte_offset, line, reason, payload, as_of FROM etl.quarantine")
    assert [row[:5] for row in quarantined] == [("mllp:", 2, 2, "invalid_time", bad.data)]
    assert abs((quarantined[0][5] - bad.received_at).total_seconds()) < 1
    with open_committer(LoadSettings(tmp_path / "m", "s")) as committer:
        assert [one.taken for one in committer.check_and_commit([bad])] == [Taken.DUPLICATE]


def test_a_form_that_promised_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that is refused only when its rows are made is in the quarantine, and none like it is trusted again."""
    bad = _oru("2", born="19700230")
    with open_committer(LoadSettings(tmp_path / "m", "s"), rows_after=0.0) as committer:
        committer._judge.learn(bad.data)
        assert _commit(committer, bad) == [Taken.APPLIED]
        _until(lambda: committer.doubts(bad.data))
        assert [one.taken for one in committer.check_and_commit([bad])] == [Taken.DUPLICATE]
    assert query(tmp_path / "m", "SELECT reason FROM etl.message") == [("invalid_time",)]
    assert query(tmp_path / "m", "SELECT count(*) FROM etl.quarantine") == [(1,)]


def test_rows_that_a_dead_listener_left(tmp_path: Path) -> None:
    """The next one makes them, also those of a mart whose listeners made none and numbered nothing."""
    with pytest.raises(ZeroDivisionError), open_committer(LoadSettings(tmp_path / "m", "s")) as committer:
        assert _commit(committer, _oru("1"), _oru("2")) == [Taken.APPLIED] * 2
        raise ZeroDivisionError
    assert query(tmp_path / "m", "SELECT count(*) FROM observation") == [(0,)]
    with Mart(tmp_path / "m").connect(read_only=True) as connection:
        (told,) = overview(connection)["listeners"]
    assert (told["source"], told["messages"], told["without_rows"], told["refused"]) == ("s", 2, 2, 0)
    with open_committer(LoadSettings(tmp_path / "m", "s")) as committer:
        assert _commit(committer, _oru("3"), _oru("1")) == [Taken.APPLIED, Taken.DUPLICATE]
    assert query(tmp_path / "m", "SELECT count(*), count(DISTINCT id) FROM observation") == [(3, 3)]
    assert query(tmp_path / "m", "SELECT source, settled FROM etl.listener") == [("s", 3)]

    (tmp_path / "m.heard").unlink()
    with open_session(LoadSettings(tmp_path / "m", "s")) as session, session.connect() as connection:
        connection.execute("UPDATE etl.message SET number = NULL")
        connection.execute("DELETE FROM etl.listener")
        connection.execute("DELETE FROM stored.observation")
        connection.execute("DELETE FROM stored_patch.observation")
    with open_committer(LoadSettings(tmp_path / "m", "s")):
        pass
    assert query(tmp_path / "m", "SELECT number FROM etl.message ORDER BY received_at") == [(1,), (2,), (3,)]
    assert query(tmp_path / "m", "SELECT count(*), count(DISTINCT id) FROM observation") == [(3, 3)]


def test_sources_are_numbered_apart(tmp_path: Path) -> None:
    """Each source has its own numbers, and its own rows."""
    for source, names in (("s", ("1", "2")), ("t", ("1",)), ("s", ("3",))):
        with open_committer(LoadSettings(tmp_path / "m", source)) as committer:
            _commit(committer, *(_oru(name) for name in names))
    counts = query(tmp_path / "m", "SELECT source, max(number), count(*) FROM etl.message GROUP BY 1 ORDER BY 1")
    assert counts == [("s", 3, 3), ("t", 1, 1)]
    rows = query(tmp_path / "m", "SELECT source, count(*) FROM observation GROUP BY 1 ORDER BY 1")
    assert rows == [("s", 3), ("t", 1)]


def test_times_of_messages_that_tell_none(tmp_path: Path) -> None:
    """Rows without MSH-7 have the time at which their own message came, so that the later one wins."""
    first, second = _oru("1", at="", value="1"), _oru("1", at="", value="2")
    second = Message(second.data, ("LAB", "HOSP", "again"), second.sha256, now())
    with open_committer(LoadSettings(tmp_path / "m", "s")) as committer:
        _commit(committer, first, second)
    rows = query(tmp_path / "m", "SELECT value_number, last_updated FROM observation")
    assert rows == [(2.0, second.received_at)]


def test_a_commit_that_fails_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Meanwhile messages are taken; nothing is doubled, and nothing of it stays in the staging area."""
    monkeypatch.setattr("flows.listen_rows._AGAIN", 0.05)
    commit, failures = LoadSession.commit, [StorageError("the disk is full"), ValueError(CANARY)]

    def failing(session: LoadSession) -> None:
        if failures:
            raise failures.pop()
        commit(session)

    monkeypatch.setattr(LoadSession, "commit", failing)
    with open_committer(LoadSettings(tmp_path / "m", "s"), rows_after=0.0) as committer:
        _commit(committer, _oru("1"))
        _until(lambda: not failures)
        _commit(committer, _oru("2"))
        _until(lambda: committer._rows.waiting == 0)
        assert not list((tmp_path / "m.staging").rglob("*.parquet"))
    assert query(tmp_path / "m", "SELECT count(*), count(DISTINCT id) FROM observation") == [(2, 2)]
    assert "the disk is full" in caplog.text
    assert "internal error ValueError" in caplog.text
    assert CANARY not in caplog.text


class _Poisoned(ThreadStager):
    """A stager that cannot take every message."""

    def stage(self, chunks: Sequence[Chunk], as_of: datetime) -> tuple[StagedChunk, set[int]]:
        if any(b"718-7" in chunk.data for chunk in chunks):
            raise ValueError(CANARY)
        return super().stage(chunks, as_of)


def test_a_message_that_breaks_the_decoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It alone goes to the quarantine; the others' rows are made."""
    monkeypatch.setattr("flows.listen_rows.Stager", _Poisoned)
    good = [_oru(str(n)) for n in range(5)]
    good = [Message(m.data.replace(b"718-7", b"787-2"), m.key, m.sha256, m.received_at) for m in good]
    with open_committer(LoadSettings(tmp_path / "m", "s")) as committer:
        _commit(committer, *good[:3], _oru("x"), *good[3:])
    assert query(tmp_path / "m", "SELECT count(*) FROM observation") == [(5,)]
    assert query(tmp_path / "m", "SELECT control_id, reason FROM etl.message WHERE reason IS NOT NULL") == [
        ("x", "undecodable")
    ]
    assert query(tmp_path / "m", "SELECT reason, count(*) FROM etl.quarantine GROUP BY 1") == [("undecodable", 1)]
    assert CANARY not in caplog.text
    replayed = run_replay(LoadSettings(tmp_path / "m", "s"), Selection())  # by a decoder that was mended
    assert (replayed.replayed, replayed.status) == (1, "ok")
    assert query(tmp_path / "m", "SELECT count(*) FROM observation") == [(6,)]
    assert query(tmp_path / "m", "SELECT count(reason) FROM etl.message") == [(0,)]


class _Worker:
    """A worker that cannot judge every message."""

    def judge(self, chunks: Sequence[Chunk], as_of: datetime) -> list[Any]:
        if any(b"|x|" in chunk.data for chunk in chunks):
            raise ValueError(CANARY)
        return []


def test_a_message_that_cannot_be_judged(caplog: pytest.LogCaptureFixture) -> None:
    """It alone is refused, and no form of it is known."""
    judge = Judge(_Worker(), None, every=False)  # type: ignore[arg-type] # all that is asked of it
    messages = [_oru("1"), _oru("x"), _oru("3")]
    refusals = judge.refusals(messages)
    assert [refusal and refusal.reason for refusal in refusals] == [None, Reason.UNDECODABLE, None]
    assert judge.refusals([]) == []
    assert not judge.doubts(messages[0].data)
    assert CANARY not in caplog.text


@pytest.mark.parametrize("fault", [MemoryError(), OSError(24, "Too many open files"), StorageError("full")])
def test_what_may_pass_is_no_fault_of_a_message(fault: Exception) -> None:
    """The sender is told to send again; nothing is quarantined for it."""

    class Short:
        def judge(self, chunks: Sequence[Chunk], as_of: datetime) -> list[Any]:
            raise fault

    with pytest.raises(type(fault)):
        Judge(Short(), None, every=False).refusals([_oru("1"), _oru("2")])  # type: ignore[arg-type] # all it asks of it


def test_every_message_is_checked_if_asked_for(tmp_path: Path) -> None:
    """Also those of a form that is known."""
    with open_committer(LoadSettings(tmp_path / "m", "s"), check_all=True) as committer:
        assert _commit(committer, _oru("1")) == [Taken.APPLIED]
        assert committer.doubts(_oru("1").data)


def test_forms_are_known_from_earlier_runs(tmp_path: Path) -> None:
    """A listener that begins anew need not check what the last one did."""
    for known in (False, True):
        with open_committer(LoadSettings(tmp_path / "m", "s")) as committer:
            assert committer.doubts(_oru("1").data) is not known
            _commit(committer, _oru("1"))


def test_a_stager_that_is_killed(tmp_path: Path) -> None:
    """It says so, and begins anew."""
    with open_session(LoadSettings(tmp_path / "m", "s")) as session:
        stager = Stager(session.worker)
        chunks = [message_chunk(1, _oru("1", born="19700230").data, now())]
        staged, refused = stager.stage(chunks, now())
        assert refused == {1}
        assert staged.counts["Patient"].quarantined == 1
        assert all(Path(path).exists() for path in staged.paths)
        assert stager._process._pool is not None
        for process in list(stager._process._pool._processes):
            os.kill(process, signal.SIGKILL)
        with pytest.raises(TryAgainError, match="ended before its time"):
            for _ in range(100):
                stager.stage(chunks, now())
        again, _ = stager.stage(chunks, now())
        assert not set(again.paths) & set(staged.paths)
        stager.close()


def test_nothing_to_do(tmp_path: Path) -> None:
    """A maker of rows without messages waits, and ends when it is told to."""
    with open_session(LoadSettings(tmp_path / "m", "s")) as session:
        rows = RowMaker(session, Judge(session.worker, None, every=False), 0, 0, 0.0)
        rows.start()
        rows.close(within=10.0)
        assert rows.waiting == 0


def _until(done: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)


def test_an_encrypted_mart_takes_messages_by_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which stages by the same keyring, wherever that is; nothing of the messages stands in any file meanwhile."""
    monkeypatch.setattr("flows.listen_rows.Stager", Stager)
    monkeypatch.setenv("CLINMART_KEYS", str(tmp_path / "elsewhere"))
    with open_committer(LoadSettings(tmp_path / "m", "s", encrypt=True), report=ListenReport("s")) as committer:
        assert _commit(committer, _oru("m1"), _oru("m2")) == [Taken.APPLIED] * 2
        assert [
            path.name for path in tmp_path.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()
        ] == []
    with mart_at(tmp_path / "m").connect(read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM observation").fetchall() == [(2,)]
    assert not (tmp_path / "m.keys").exists()
