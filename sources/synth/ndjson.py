"""The NDJSON files of one resource type, plain or compressed, a new one when the last has grown too large."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

import zstandard

_GZIP_LEVEL = 6
_ZSTD_LEVEL = 3
_BUFFER = 1 << 20

Compression = Literal["gz", "zst"] | None


class Sink(Protocol):
    """What files are written through."""

    def write(self, data: bytes, /) -> int:
        """Take the bytes."""

    def close(self) -> None:
        """Finish the file."""


def sink(path: Path, compress: Compression) -> Sink:
    """A new file whose bytes depend on nothing but what is written: no name and no time in its header."""
    raw = path.open("wb", buffering=_BUFFER)
    if compress == "gz":
        return _Gzip(raw)
    if compress == "zst":
        return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).stream_writer(raw, closefd=True)
    return raw


class _Gzip:
    """A gzip file that closes the file below it."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._packed = gzip.GzipFile("", "wb", _GZIP_LEVEL, raw, mtime=0)

    def write(self, data: bytes) -> int:
        return self._packed.write(data)

    def close(self) -> None:
        self._packed.close()
        self._raw.close()


class NdjsonFiles:
    """``Patient.000.ndjson``, ``Patient.001.ndjson`` and so on; the first is made with the first line.

    ``limit`` is the size in bytes, before compression, beyond which a file does not grow, unless by one line.
    """

    def __init__(self, folder: Path, kind: str, compress: Compression, limit: int | None) -> None:
        """Prepare the files of the type ``kind``."""
        self.kind = kind
        self.lines: dict[Path, int] = {}
        self._folder = folder
        self._compress: Compression = compress
        self._limit = limit
        self._file: Sink | None = None
        self._path = folder
        self._size = 0

    def append(self, lines: Sequence[str]) -> int:
        """Append lines, in one piece where they fit; returns their bytes."""
        block = ("\n".join(lines) + "\n").encode()
        if self._file is not None and (self._limit is None or self._size + len(block) <= self._limit):
            self._put(block, len(lines))
        else:
            for line in lines:
                self.append_line(line.encode())
        return len(block)

    def append_line(self, line: bytes) -> tuple[Path, int]:
        """Append one line; returns its file and its number there, from 1."""
        size = len(line) + 1
        if self._file is None or (self._limit is not None and self._size + size > self._limit and self._size):
            self._next()
        self._put(line + b"\n", 1)
        return self._path, self.lines[self._path]

    def close(self) -> None:
        """Finish the last file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _put(self, block: bytes, count: int) -> None:
        assert self._file is not None, "both callers have opened it"
        self._file.write(block)
        self._size += len(block)
        self.lines[self._path] += count

    def _next(self) -> None:
        self.close()
        suffix = f".{self._compress}" if self._compress else ""
        self._path = self._folder / f"{self.kind}.{len(self.lines):03d}.ndjson{suffix}"
        self._file = sink(self._path, self._compress)
        self._size = 0
        self.lines[self._path] = 0
