"""A trail is only added to, by one writer at a time, and says what a crash left."""

from __future__ import annotations

import errno
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from schemas.errors import IntegrityError, StorageError, UsageError
from stores.audit import Phase, Record, Trail
from stores.audit.record import known_reason
from tests.stores.audit.trails import WHO, chain_of, fault_of, fill, trail_at


def test_records_follow_each_other(tmp_path: Path) -> None:
    """The first record names the trail; files are for their owner alone; the head is that of all records."""
    trail = fill(tmp_path / "m", 5)
    chain = chain_of(tmp_path / "m")
    assert (len(chain.hashes), chain.fault, len(chain.trail)) == (5, None, 32)
    head = trail.head()
    assert (head.n, head.hash, head.trail) == (5, chain.hashes[-1].hex(), chain.trail)
    assert stat.S_IMODE(trail.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in trail.folder.iterdir()} == {0o600}


def test_segments_are_begun_anew(tmp_path: Path) -> None:
    """A long trail is of several files, read as one; also without the file that says where it ends."""
    trail = fill(tmp_path / "m", 9, segment_bytes=1000)
    assert len(list(trail.folder.glob("*.jsonl"))) == 5
    (trail.folder / "head.json").unlink()
    trail_at(tmp_path / "m").append(Record("status", Phase.EVENT))
    assert (len(chain_of(tmp_path / "m").hashes), fault_of(tmp_path / "m")) == (10, None)


def test_open_intents(tmp_path: Path) -> None:
    """An intent is open until its outcome is there."""
    trail = trail_at(tmp_path / "m")
    intent = trail.append(Record("commit", Phase.INTENT, {"load": "L"}))
    trail.append(Record("status", Phase.EVENT))
    assert [(n, one.action, one.load) for n, one in trail.open_intents().items()] == [(2, "commit", "L")]
    assert trail.head().commit == (2, intent.hash)
    trail.append(Record("commit", Phase.OUTCOME, outcome="ok", re=intent.number))
    assert not trail.open_intents()


@pytest.mark.parametrize("cut", [1, 30])
def test_torn_record(tmp_path: Path, cut: int) -> None:
    """What a crash cut short is taken away and told of; without its line end a record is none."""
    trail = fill(tmp_path / "m", 3)
    path = trail.folder / "000001.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    (trail.folder / "head.json").unlink()
    fault = fault_of(tmp_path / "m")
    assert fault is not None
    assert (fault.segment, fault.line, fault.number) == ("000001.jsonl", 3, 3)
    assert "cut short" in fault.what
    trail_at(tmp_path / "m").append(Record("status", Phase.EVENT))
    lines = path.read_bytes().splitlines()
    assert b"trail.torn" in lines[2]
    assert (len(lines), fault_of(tmp_path / "m")) == (4, None)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("written", [0, 17])
def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, written: int) -> None:
    """A write that fails, at once or in the middle, leaves the trail as it was; the same record can then be added."""
    trail = fill(tmp_path / "m", 3)
    before = (trail.folder / "000001.jsonl").read_bytes()
    left = [written]
    really = os.pwrite

    def full(descriptor: int, data: bytes, at: int) -> int:
        if not left[0]:
            raise OSError(code, os.strerror(code))
        done = really(descriptor, data[: left[0]], at)
        left[0] -= done
        return done

    with monkeypatch.context() as patch:
        patch.setattr("stores.audit.segments.os.pwrite", full)
        with pytest.raises(StorageError, match="cannot be written") as caught:
            trail.append(Record("status", Phase.EVENT))
    assert caught.value.exit_code == 5
    assert (trail.folder / "000001.jsonl").read_bytes() == before
    assert trail.append(Record("status", Phase.EVENT)).number == 4


def test_owed_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The outcome of what was done is written before the next record when it could not be at once."""
    trail = fill(tmp_path / "m", 1)
    intent = trail.append(Record("commit", Phase.INTENT))
    with monkeypatch.context() as patch:
        patch.setattr("stores.audit.segments.os.fsync", lambda _: (_ for _ in ()).throw(OSError(errno.EIO, "io")))
        trail.settle(Record("commit", Phase.OUTCOME, outcome="ok", re=intent.number))
        assert trail.owes
        with pytest.raises(StorageError):
            trail.append(Record("commit", Phase.INTENT))
    trail.append(Record("status", Phase.EVENT))
    lines = (trail.folder / "000001.jsonl").read_bytes().splitlines()
    assert [b'"outcome":"ok"' in line for line in lines] == [False, False, True, False]
    assert not trail.owes


def test_folder_that_is_none(tmp_path: Path) -> None:
    """Where no trail can be, nothing can be recorded."""
    (tmp_path / "m.audit").write_text("")
    with pytest.raises(StorageError, match=r"m\.audit cannot be written"):
        trail_at(tmp_path / "m").append(Record("status", Phase.EVENT))


def test_two_writers(tmp_path: Path) -> None:
    """Trails of several writers at once are one trail."""
    with ThreadPoolExecutor(4) as pool:
        trails = [Trail(tmp_path / "m", WHO, segment_bytes=5000) for _ in range(4)]
        list(pool.map(lambda n: trails[n % 4].append(Record("status", Phase.EVENT)), range(60)))
    chain = chain_of(tmp_path / "m")
    assert (len(chain.hashes), chain.fault) == (61, None)


def test_cut_or_altered_end_is_refused(tmp_path: Path) -> None:
    """Nothing is added behind an end that is not the one that was written."""
    trail = fill(tmp_path / "m", 4)
    path = trail.folder / "000001.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    with pytest.raises(IntegrityError, match="ends before its record 4"):
        trail.append(Record("status", Phase.EVENT))
    path.write_bytes(b"".join([*lines, lines[-1]]))
    with pytest.raises(IntegrityError, match="damaged after record 4"):
        trail.append(Record("status", Phase.EVENT))


def test_restart(tmp_path: Path) -> None:
    """A broken trail stays beside the new one, which says why it was begun and in place of which."""
    trail = fill(tmp_path / "m", 4)
    old = chain_of(tmp_path / "m").trail
    (trail.folder / "000001.jsonl").write_bytes((trail.folder / "000001.jsonl").read_bytes()[:-50])
    aside, _ = trail.restart("disk replaced", 7)
    assert aside is not None
    assert (aside / "000001.jsonl").exists()
    chain = chain_of(tmp_path / "m")
    assert (chain.fault, len(chain.hashes)) == (None, 1)
    assert chain.begin == {"trail": chain.trail, "instead": [old], "commits": 7}
    assert trail.append(Record("status", Phase.EVENT)).number == 2
    trail.restart("again", 7)
    assert chain_of(tmp_path / "m").begin["instead"] == [chain.trail, old]


def test_reasons() -> None:
    """A reason is one short line, or none."""
    assert known_reason("  asked by the patient ") == "asked by the patient"
    assert known_reason(" ") is None
    for bad in ("a\nb", "x" * 501):
        with pytest.raises(UsageError, match="--reason"):
            known_reason(bad)
