"""Where a trail ends: what it takes to add the next record without reading all that are there."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from stores.audit.merkle import Frontier
from stores.audit.record import FIRST, Phase


class Opened(msgspec.Struct, frozen=True):
    """An intent without an outcome so far: what it is about, and of which process."""

    action: str
    pid: int
    started: int
    host: str
    load: str | None = None


class Head(msgspec.Struct):
    """The end of a trail. ``segment`` and ``end``: the file of the last record and the byte behind it."""

    trail: str = ""
    n: int = 0
    hash: str = FIRST
    segment: int = 1
    end: int = 0
    roots: list[str] = []
    open: dict[int, Opened] = {}
    commit: tuple[int, str] | None = None  # number and hash of the newest intent of a commit

    @property
    def frontier(self) -> Frontier:
        """The tree of all records."""
        return Frontier(self.n, [bytes.fromhex(root) for root in self.roots])

    def take(self, values: dict[str, object], end: int) -> None:
        """Move behind a record."""
        number, made = int(str(values["n"])), str(values["hash"])
        grown = self.frontier
        grown.append(bytes.fromhex(made))
        self.n, self.hash, self.end = number, made, end
        self.roots = [root.hex() for root in grown.roots]
        action, phase, who = str(values["action"]), values["phase"], values["who"]
        if action == "trail.begin" and isinstance(detail := values.get("detail"), dict):
            self.trail = str(detail.get("trail", ""))
        if phase == Phase.INTENT and isinstance(who, dict):
            where = values.get("where")
            load = where.get("load") if isinstance(where, dict) else None
            self.open[number] = Opened(action, int(who["pid"]), int(who["started"]), str(who["host"]), load)
            if action == "commit":
                self.commit = (number, made)
        elif phase == Phase.OUTCOME and isinstance(about := values.get("re"), int):
            self.open.pop(about, None)


class HeadFile:
    """``head.json`` of a trail: only saves time. What it says is compared with the segments, which alone count."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "head.json"

    def read(self) -> Head | None:
        """What was written last; None when there is nothing of use."""
        try:
            found = msgspec.json.decode(self._path.read_bytes(), type=Head)
            found.frontier  # noqa: B018 - raises when it cannot be
        except (OSError, msgspec.DecodeError, ValueError):
            return None
        return found

    def write(self, head: Head) -> None:
        """Keep it; a disk that cannot is no harm."""
        fresh = self._path.with_name("head.json.new")
        with suppress(OSError):
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                os.write(descriptor, msgspec.json.encode(head))
            finally:
                os.close(descriptor)
            fresh.replace(self._path)
