"""Listening into a mart: what is acknowledged is there, once, whatever ends the listener."""

from __future__ import annotations

import json
import random
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from flows.listen_commit import Message, Taken
from flows.listen_mart import open_committer
from flows.settings import LoadSettings
from schemas.errors import EXIT_DRAINED, LockedError, StorageError
from sources.mllp.framer import framed
from stores.mart import Mart
from tests.flows.inputs import Outcome, query
from tests.flows.listening import CANARY, PATIENCE, Sender, message, now

pytestmark = pytest.mark.usefixtures("staging_in_a_thread")
READY = re.compile(rb"listening on 127\.0\.0\.1 port (\d+) \((MLLP.*)\)")


def _message(control_id: str, body: str = "") -> Message:
    data = message(control_id, body=body)
    return Message(data, ("LAB", "HOSP", control_id), data[:32], now())


@contextmanager
def _listener(mart: Path, *more: str, room: int | None = None) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A listener as a process, and its port; ``room`` is how many bytes a file of its may have."""

    command = ["listen", "--mart", str(mart), "--port", "0", "--source", "s", *more]
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli.main", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        try:
            stream = process.stderr if "--json" in more else process.stdout
            assert stream is not None
            told = READY.search(stream.readline())
            assert told is not None
            if room is not None:
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (room, room))
            yield process, int(told[1])
        finally:
            process.kill()


def test_outcomes_of_a_batch(tmp_path: Path) -> None:
    """New, again, and another under the same id; the run stands in `etl.load`."""
    settings = LoadSettings(tmp_path / "m", "s")
    with open_committer(settings) as committer:
        assert [o.taken for o in committer.commit([_message("1"), _message("2")])] == [Taken.APPLIED, Taken.APPLIED]
        other = Message(b"MSH", ("LAB", "HOSP", "2"), b"else", now())
        again = committer.commit([_message("1"), other, _message("3")])
        assert [o.taken for o in again] == [Taken.DUPLICATE, Taken.CONFLICT, Taken.APPLIED]
    assert query(tmp_path / "m", "SELECT control_id FROM etl.message ORDER BY 1") == [("1",), ("2",), ("3",)]
    assert query(tmp_path / "m", "SELECT kind, status, finished_at IS NOT NULL FROM etl.load") == [
        ("listen", "drained", True)
    ]


def test_a_mart_that_fails_takes_nothing_and_then_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch is rolled back whole; the next one opens the mart anew."""
    with open_committer(LoadSettings(tmp_path / "m", "s")) as committer:
        with monkeypatch.context() as patch:

            def full(*_: object) -> None:
                raise duckdb.IOException("No space left on device")

            patch.setattr("flows.listen_mart.keep", full)
            with pytest.raises(StorageError, match="rolled back"):
                committer.commit([_message("1")])
        assert [o.taken for o in committer.commit([_message("1")])] == [Taken.APPLIED]
    assert query(tmp_path / "m", "SELECT count(*) FROM etl.message") == [(1,)]


def test_a_mart_that_a_reader_holds_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the sender is told to send again; when the reader has gone it is taken."""
    monkeypatch.setattr("flows.listen_mart._PATIENCE", 0.1)
    opened = f"c = duckdb.connect({str(tmp_path / 'm')!r}, read_only=True)"
    reader = f"import duckdb; {opened}; print(1, flush=True); input()"
    with open_committer(LoadSettings(tmp_path / "m", "s")) as committer:
        with subprocess.Popen([sys.executable, "-c", reader], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            assert other.stdout is not None
            other.stdout.readline()
            with pytest.raises(LockedError):
                committer.commit([_message("1")])
            other.communicate(b"\n")
        assert [o.taken for o in committer.commit([_message("1")])] == [Taken.APPLIED]


def test_a_reader_at_the_end_does_not_spoil_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """All that was acknowledged is in; that the run's end could not be written is told."""
    monkeypatch.setattr("flows.session._COMMIT_PATIENCE", 0.1)
    opened = f"c = duckdb.connect({str(tmp_path / 'm')!r}, read_only=True)"
    reader = f"import duckdb; {opened}; print(1, flush=True); input()"
    with open_committer(LoadSettings(tmp_path / "m", "s")):
        other = subprocess.Popen([sys.executable, "-c", reader], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert other.stdout is not None
        other.stdout.readline()
    assert "the end of the listener's run is not in the mart" in caplog.text
    other.communicate(b"\n")


def test_readers_get_in_when_nothing_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mart is open from one batch to the next, and closed when none follows."""
    monkeypatch.setattr("flows.listen_mart._LINGER", 0.05)
    with open_committer(LoadSettings(tmp_path / "m", "s")) as committer:
        committer.commit([_message("1")])
        reader = f"import duckdb; print(duckdb.connect({str(tmp_path / 'm')!r}).sql('FROM etl.message').shape[0])"
        for _ in range(100):
            made = subprocess.run([sys.executable, "-c", reader], capture_output=True, check=False)
            if made.returncode == 0:
                break
        assert made.stdout == b"1\n"


def test_sigterm_drains(tmp_path: Path) -> None:
    """What was read is in and answered, the exit code says why it ended, and the report is one JSON object."""
    with _listener(tmp_path / "m", "--json") as (process, port), Sender(port) as sender:
        sender.send(message("1"), message("2"), message("1"), b"PID|1")
        assert [sender.msa()[0] for _ in range(4)] == ["AA", "AA", "AA", "AR"]
        process.send_signal(signal.SIGTERM)
        assert sender.is_closed()
        stdout, stderr = process.communicate()
    assert process.returncode == EXIT_DRAINED
    report = json.loads(stdout)
    assert (report["status"], report["inputs"]["read"], report["inputs"]["duplicate"]) == ("drained", 3, 1)
    assert report["not_taken"] == {"rejected": 1}
    assert CANARY.encode() not in stdout + stderr
    assert query(tmp_path / "m", "SELECT count(*) FROM etl.message") == [(2,)]


def test_one_listener_for_a_mart(tmp_path: Path) -> None:
    """A second one is told who has it, with the exit code of a locked mart."""
    with _listener(tmp_path / "m"):
        command = [sys.executable, "-m", "flows.cli.main", "listen", "--mart", str(tmp_path / "m"), "--port", "0"]
        second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == LockedError.exit_code
    assert "is being loaded by process" in second.stderr


def _send_until(port: int, names: list[str], taken: set[str], enough: int) -> None:
    """Send what was not acknowledged, all at once, and take so many answers."""
    with Sender(port) as sender:
        waiting = [name for name in names if name not in taken]
        sender.send(*(message(name) for name in waiting))
        for _ in waiting[:enough]:
            code, name = sender.msa()
            assert code == "AA"
            taken.add(name)


def test_killed_in_the_middle(tmp_path: Path) -> None:
    """What was acknowledged is in the mart at once; after the sender has sent the rest again everything is, once."""
    mart, names, taken = tmp_path / "m", [f"m{n}" for n in range(3000)], set[str]()
    for enough in (1, 700, 3000):
        with _listener(mart) as (process, port):
            _send_until(port, names, taken, enough)
            process.kill()
        there = [name for (name,) in query(mart, "SELECT control_id FROM etl.message")]
        assert taken <= set(there)
        assert len(there) == len(set(there))
    assert taken == set(names) == set(there)
    with _listener(mart) as (process, _):
        process.send_signal(signal.SIGTERM)
        process.wait()
    rows = query(mart, "SELECT count(*), count(DISTINCT id) FROM observation")
    assert rows == [(len(names), len(names))]


def test_no_room_on_the_disk(tmp_path: Path) -> None:
    """What fits is acknowledged and there; what does not is AR with 207, and taken when there is room again."""
    mart, names = tmp_path / "m", [f"m{n}" for n in range(120)]
    body = random.Random(1).randbytes(50_000).hex()  # which is no smaller when it is compressed
    with open_committer(LoadSettings(mart, "s")):
        room = mart.stat().st_size + 2_000_000
    codes: dict[str, str] = {}
    with _listener(mart, room=room) as (process, port):
        with Sender(port) as sender:
            for name in names:
                sender.send(message(name, body=body))
                _, msa, *err = sender.answer()
                codes[name] = msa[1]
                assert (msa[1] == "AA") != (bool(err) and err[0][3].startswith("207^"))
        process.kill()
    taken = {name for name, code in codes.items() if code == "AA"}
    assert 0 < len(taken) < len(names)
    assert set(codes.values()) == {"AA", "AR"}
    with _listener(mart) as (_, port), Sender(port) as sender:
        for name in names:
            sender.send(message(name, body=body))
            assert sender.msa() == ("AA", name)
    there = [name for (name,) in query(mart, "SELECT control_id FROM etl.message")]
    assert sorted(there) == sorted(names)


def test_hl7_frames_on_a_bare_socket(tmp_path: Path) -> None:
    """Byte by byte, as slow lines deliver."""
    with _listener(tmp_path / "m") as (_, port), socket.create_connection(("127.0.0.1", port)) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in framed(message("1")):
            plain.send(bytes([byte]))
        assert b"MSA|AA|1\r" in plain.recv(4096)


def test_marts_kept_open_are_closed_at_the_end(tmp_path: Path) -> None:
    """After the block the file can be opened, though a batch was just committed."""
    with open_committer(LoadSettings(tmp_path / "m", "s")) as committer:
        committer.commit([_message("1")])
    with Mart(tmp_path / "m").connect(read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM etl.message").fetchone() == (1,)


def test_messages_that_a_mart_lost(tmp_path: Path, clinmart: Callable[..., Outcome]) -> None:
    """A log that is gone takes acknowledged messages with it: the mart is refused until that is accepted, in words."""
    mart = tmp_path / "m"
    with _listener(mart) as (process, port), Sender(port) as sender:
        sender.send(message("1"))
        assert sender.msa() == ("AA", "1")
        end = time.monotonic() + PATIENCE
        while mart.with_name("m.wal").exists():  # until the mart is closed, and the first message in its file
            assert time.monotonic() < end
            time.sleep(0.1)
        sender.send(message("2"), message("3"))
        assert [sender.msa()[0] for _ in range(2)] == ["AA", "AA"]
        process.kill()
    mart.with_name("m.wal").unlink()
    refused = clinmart("status", "--mart", mart)
    assert (refused.code, refused.err.count("\n")) == (4, 1)
    assert "has lost 2 messages that were acknowledged (source s)" in refused.err
    told = clinmart("repair", "--mart", mart)
    assert told.code == 4
    assert "lost: the last 2 messages of the source s, acknowledged after 20" in told.out.decode()
    assert clinmart("status", "--mart", mart).code == 4
    accepted = clinmart("repair", "--mart", mart, "--accept-loss", "--json")
    assert (accepted.code, accepted.json["messages"]) == (0, {"lost": 2, "forgotten": 2})
    with _listener(mart) as (process, port), Sender(port) as sender:
        sender.send(message("2"), message("3"), message("1"))
        assert [sender.msa()[0] for _ in range(3)] == ["AA", "AA", "AA"]
        process.send_signal(signal.SIGTERM)
        process.wait()
    assert query(mart, "SELECT number, control_id FROM etl.message ORDER BY 1") == [(1, "1"), (2, "2"), (3, "3")]
    assert query(mart, "SELECT count(*), count(DISTINCT id) FROM observation")[0][0] > 0
