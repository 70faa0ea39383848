"""Bytes as a file that is gone when the block ends, in memory or as a temporary file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from transforms.decode.memory_file import MemoryFile, memory_file

BIG = os.urandom(1 << 20) * 3


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("data", [b"", b"abc\n", BIG])
def test_the_content_can_be_read_and_is_gone(
    data: bytes, in_memory: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read twice by name; nothing is left behind, even after an error inside the block."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if not in_memory:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    with pytest.raises(KeyError), memory_file(memoryview(data)) as path:
        assert Path(path).read_bytes() == data
        assert Path(path).read_bytes() == data
        if not in_memory:
            assert Path(path).stat().st_mode & 0o077 == 0
            assert len(list(tmp_path.iterdir())) == 1
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    assert not Path(path).exists()


@pytest.mark.parametrize("in_memory", [True, False])
def test_one_content_after_the_other(in_memory: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer, shorter and none: each time the file is what was put into it last, and after all it is gone."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if not in_memory:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    file = MemoryFile()
    for data in (b"abc\n", BIG, b"x", b"", [b"a", memoryview(b"bc"), b""] * 3000, [], b"abcd\n"):
        with file.holding(data) as path:
            assert Path(path).read_bytes() == (b"".join(data) if isinstance(data, list) else data)
    file.close()
    file.close()
    assert list(tmp_path.iterdir()) == []
    assert not Path(path).exists()


@pytest.mark.parametrize("most", [1, 2, 5])
def test_the_system_writes_less_than_it_is_given(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a write leaves is written by the next ones."""
    write = os.write
    monkeypatch.setattr(os, "writev", lambda fd, pieces: write(fd, b"".join(pieces)[:most]))
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, bytes(data)[:most]))
    file = MemoryFile()
    with file.holding([b"abc", b"", memoryview(b"defg")]) as path:
        assert Path(path).read_bytes() == b"abcdefg"


def test_memory_goes_with_its_owner() -> None:
    """A file that nobody holds any more is closed."""
    file = MemoryFile()
    with file.holding(b"abc") as path:
        pass
    del file
    assert not Path(path).exists()
