"""The tail beside a mart: appended, torn, compacted, and read again."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

import stores.tail as subject
from schemas.errors import StorageError
from stores.tail import KEPT, Committed, Entry, Settled, Tail, TailReceipt, raw_files

NOW = datetime(2024, 1, 1, 12, 30, 0, 123456, UTC)
FILE = TailReceipt("/in/ä.ndjson", 5, 7, "00ff", NOW, False)


def _commit(number: int, *files: TailReceipt) -> Committed:
    return Committed("mart", f"c{number}", number, "load", "s", NOW, {"sample": "0.01"}, raw_files(files))


def _ids(tail: Tail) -> list[str]:
    return [entry.commit_id for entry in tail.read() if isinstance(entry, Committed)]


def test_entries_come_back(tmp_path: Path) -> None:
    """What was appended is read again, in order; the file is the owner's alone."""
    tail = Tail(tmp_path / "m")
    assert tail.read() == []
    entries: list[Entry] = [_commit(1, FILE, FILE), Settled("mart", ["c1"], "lost", NOW)]
    tail.append(entries[:1])
    tail.append(entries[1:])
    commit, settled = tail.read()
    assert settled == entries[1]
    assert isinstance(commit, Committed)
    assert commit.files() == [FILE, FILE]
    assert (commit.number, commit.committed_at, commit.options) == (1, NOW, {"sample": "0.01"})
    assert tail.path == tmp_path / "m.tail"
    assert stat.S_IMODE(tail.path.stat().st_mode) == 0o600


def test_torn_line(tmp_path: Path) -> None:
    """However much of the last line a crash left: the earlier ones stand, and the next is not joined to it."""
    tail = Tail(tmp_path / "m")
    tail.append([_commit(1, FILE)])
    whole = tail.path.read_bytes()
    for cut in range(len(whole)):
        tail.path.write_bytes(whole + whole.replace(b"c1", b"c2")[:cut])
        known = _ids(tail)
        assert known == (["c1", "c2"] if cut == len(whole) - 1 else ["c1"])
        tail.append([_commit(3)])
        assert _ids(tail) == [*known, "c3"]


def test_compaction(tmp_path: Path) -> None:
    """A long tail keeps its newest entries, a short one is left alone, and nothing else is left beside it."""
    tail = Tail(tmp_path / "m")
    tail.append([_commit(number) for number in range(2 * KEPT - 1)])
    tail.compact(tail.read())
    assert len(_ids(tail)) == 2 * KEPT - 1
    tail.append([_commit(2 * KEPT - 1)])
    tail.compact(tail.read())
    assert _ids(tail) == [f"c{number}" for number in range(KEPT, 2 * KEPT)]
    assert [path.name for path in tmp_path.iterdir()] == ["m.tail"]
    assert stat.S_IMODE(tail.path.stat().st_mode) == 0o600


def test_compaction_by_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commits of many files are fewer, and the newest always stays."""
    monkeypatch.setattr(subject, "_BYTES", 4000)
    tail = Tail(tmp_path / "m")
    tail.append([_commit(number, *[FILE] * 5) for number in range(20)])
    tail.compact(tail.read())
    assert tail.path.stat().st_size <= 4000
    assert _ids(tail)[-1] == "c19"
    tail.append([_commit(20, *[FILE] * 500)])
    tail.compact(tail.read())
    assert _ids(tail) == ["c20"]


def test_tail_that_cannot_be_had(tmp_path: Path) -> None:
    """A folder in its place is a storage error in one line."""
    tail = Tail(tmp_path / "m")
    tail.path.mkdir()
    for act in (tail.read, lambda: tail.append([_commit(1)])):
        with pytest.raises(StorageError, match="tail cannot be") as caught:
            act()
        assert "\n" not in str(caught.value)
