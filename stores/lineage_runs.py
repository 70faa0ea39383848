"""Runs whose lineage has begun and not ended, and events that could not be sent: `<mart>.lineage` beside the mart.

What a killed run leaves there is how the next one knows that its end must be told. The file holds ids of runs and
events, in which names of files are tokens; it is written by the holder of the loader's lock alone.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec

from schemas.errors import StorageError

_MODE = 0o600


class OpenRun(msgspec.Struct, frozen=True):
    """A run that was begun; ``process`` is a random name of the process that runs it."""

    run_id: str
    load_id: str
    source: str
    kind: str
    started_at: datetime
    process: str


class _Kept(msgspec.Struct):
    runs: list[OpenRun] = []
    unsent: list[str] = []  # events as JSON


@dataclass(slots=True)
class LineageRuns:
    """The journal of the mart at ``mart``."""

    mart: Path
    _kept: _Kept = field(default_factory=_Kept)

    def __post_init__(self) -> None:
        try:
            self._kept = msgspec.json.decode(self.path.read_bytes(), type=_Kept)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise StorageError(f"{self.path} cannot be read: {error.strerror}") from error
        except msgspec.DecodeError:  # then nothing is known of runs that died
            self._kept = _Kept()

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.mart.with_name(self.mart.name + ".lineage")

    def dead(self, process: str) -> list[OpenRun]:
        """The runs of other processes: whoever holds the loader's lock knows that they are gone."""
        return [run for run in self._kept.runs if run.process != process]

    def unsent(self) -> Sequence[str]:
        """The events that are still to be sent, the oldest first."""
        return tuple(self._kept.unsent)

    def begin(self, run: OpenRun) -> None:
        """Note a run before its first event is sent."""
        self._kept.runs.append(run)
        self._write()

    def end(self, run_id: str) -> None:
        """Forget a run whose end was told, or is among the events still to be sent."""
        self._kept.runs = [run for run in self._kept.runs if run.run_id != run_id]
        self._write()

    def keep(self, event: str) -> None:
        """Keep an event that could not be sent."""
        self._kept.unsent.append(event)
        self._write()

    def sent(self, event: str) -> None:
        """Forget an event that was sent after all."""
        self._kept.unsent.remove(event)
        self._write()

    def _write(self) -> None:
        """Replace the file whole; without anything to say there is none."""
        fresh = self.path.with_name(self.path.name + ".new")
        try:
            if not self._kept.runs and not self._kept.unsent:
                self.path.unlink(missing_ok=True)
                return
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE)
            with open(descriptor, "wb") as file:  # noqa: PTH123 - of a descriptor
                file.write(msgspec.json.encode(self._kept))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
        except OSError as error:
            raise StorageError(f"{self.path} cannot be written: {error.strerror}") from error
