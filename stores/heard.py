"""How many messages a mart's listeners acknowledged, written beside it: what a log that was lost can no longer tell.

`<mart>.heard` holds by source the greatest number of a message that was acknowledged; a mart whose messages end before
it has lost some. It is replaced whole after each commit, and not synchronised: after a power cut it may tell less than
the mart holds, which is no harm. It holds numbers and names of sources, and nothing of a patient.
"""

from __future__ import annotations

import threading
from pathlib import Path

import duckdb
import msgspec

from schemas.errors import IntegrityError, StorageError
from stores.ddl import MART_VERSION
from stores.identity import mart_id, mart_version
from stores.messages import greatest_numbers


class _Heard(msgspec.Struct):
    mart_id: str
    numbers: dict[str, int]


class Heard:
    """The file beside the mart ``mart``; only the holder of the loader's lock writes."""

    def __init__(self, mart: Path) -> None:
        self.path = mart.with_name(mart.name + ".heard")
        self._mart = mart
        self._lock = threading.Lock()

    def of(self, mart: str) -> dict[str, int]:
        """By source the greatest number; none where the file is not there, or is another mart's."""
        try:
            found = msgspec.json.decode(self.path.read_bytes(), type=_Heard)
        except (FileNotFoundError, msgspec.DecodeError):
            return {}
        except OSError as error:
            raise StorageError(f"{self.path} cannot be read: {error.strerror}") from error
        return found.numbers if found.mart_id == mart else {}

    def note(self, mart: str, source: str, number: int) -> None:
        """Tell the greatest number of a source. Raises StorageError."""
        with self._lock:
            self._write(mart, self.of(mart) | {source: number})

    def _write(self, mart: str, numbers: dict[str, int]) -> None:
        fresh = self.path.with_name(self.path.name + ".new")
        try:
            fresh.write_bytes(msgspec.json.encode(_Heard(mart, numbers)))
            fresh.replace(self.path)
        except OSError as error:
            raise StorageError(f"{self.path} cannot be written: {error.strerror}") from error

    def lost(self, connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
        """By source how many acknowledged messages the mart no longer has."""
        if not self.path.exists() or mart_version(connection) != MART_VERSION:
            return {}
        told = self.of(mart_id(connection))
        there = greatest_numbers(connection) if told else {}
        return {name: number - there.get(name, 0) for name, number in told.items() if number > there.get(name, 0)}

    def forget(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Tell what the mart has, and of nothing that it lost. Raises StorageError."""
        self._write(mart_id(connection), greatest_numbers(connection))

    def refuse_loss(self, connection: duckdb.DuckDBPyConnection) -> None:
        """IntegrityError when the mart has lost messages."""
        if lost := self.lost(connection):
            raise IntegrityError(
                f"the mart {self._mart} has lost {sum(lost.values())} messages that were acknowledged (source "
                f"{', '.join(sorted(lost))}): its log is damaged or gone, or an older copy was put back. Run clinmart "
                f"repair --mart {self._mart}"
            )
