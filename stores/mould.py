"""An empty mart, kept to be copied: to make its hundreds of views anew takes over a second, to copy them a moment.

It holds no data. What is kept is only a saving: where it cannot be read or written, marts are made from nothing.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

_LOG = logging.getLogger(__name__)
_PREFIX, _SUFFIX = "empty-", ".duckdb"


class Mould:
    """The empty mart of some models and some DuckDB, named by ``key``, in a ``folder`` that holds one; None: keep none.

    A file's name has the SHA-256 of its bytes, so that one that is damaged is not taken.
    """

    def __init__(self, folder: Path | None, key: str) -> None:
        self._folder = folder
        self._key = key

    def pour(self, path: Path) -> bool:
        """Write the empty mart to ``path``, which must not exist; false when there is none that is whole.

        Raises OSError when ``path`` cannot be written.
        """
        for kept in self._kept(f"{self._key}."):
            try:
                data = kept.read_bytes()
            except OSError:
                continue
            if kept.name == self._name(data):
                path.write_bytes(data)
                return True
        return False

    def keep(self, path: Path) -> None:
        """Keep a copy of the empty mart at ``path`` in place of those of other models."""
        if self._folder is None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            data = path.read_bytes()
            aside = self._folder / f".{os.getpid()}{_SUFFIX}.part"
            aside.write_bytes(data)
            aside.replace(self._folder / self._name(data))
            for other in self._kept(""):
                if other.name != self._name(data):
                    other.unlink(missing_ok=True)
        except OSError as error:
            _LOG.info("no empty mart is kept in %s: %s", self._folder, error.strerror)

    def _kept(self, begin: str) -> Iterator[Path]:
        if self._folder is not None:
            yield from sorted(self._folder.glob(f"{_PREFIX}{begin}*{_SUFFIX}"))

    def _name(self, data: bytes) -> str:
        return f"{_PREFIX}{self._key}.{hashlib.sha256(data).hexdigest()}{_SUFFIX}"
