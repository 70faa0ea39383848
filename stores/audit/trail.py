"""The audit trail of a mart, `<mart>.audit/`: records are added by any process, one at a time, and never changed."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from schemas.errors import IntegrityError, StorageError
from stores.audit.head import Head, HeadFile, Opened
from stores.audit.record import Phase, Record, Who, parse, render
from stores.audit.segments import SEGMENT_BYTES, Segments


def trail_folder(mart: Path) -> Path:
    """``<mart>.audit`` beside the mart."""
    return mart.with_name(mart.name + ".audit")


@dataclass(frozen=True, slots=True)
class Written:
    """A record that is on disk."""

    number: int
    hash: str
    trail: str


class Trail:
    """The trail of the mart ``mart``, on which ``who`` acts. Safe to use from several threads.

    It begins with a record that names it. A record that a crash cut short is taken away before the next one is
    written, which tells so.
    """

    def __init__(
        self,
        mart: Path,
        who: Who,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.folder = trail_folder(mart)
        self.segments = Segments(self.folder, segment_bytes)
        self.who = who
        self._file = HeadFile(self.folder)
        self._clock = clock
        self._lock = threading.Lock()
        self._owed: list[Record] = []  # outcomes that could not be written

    def append(self, record: Record) -> Written:
        """Add a record; it is on disk when this returns.

        Raises StorageError when it cannot be written, and IntegrityError when the trail ends otherwise than it did.
        """
        with self._lock, self.segments.locked():
            head = self._begun()
            while self._owed:
                self._add(head, self._owed[0])
                self._owed.pop(0)
            return self._add(head, record)

    def settle(self, record: Record) -> None:
        """Add the outcome of something that was done. Where it cannot be written now, it is before the next record.

        So what was done is not told to have failed; nothing else is begun until the trail can be written again.
        """
        try:
            self.append(record)
        except StorageError:
            with self._lock:
                self._owed.append(record)

    @property
    def owes(self) -> bool:
        """Whether an outcome waits to be written."""
        return bool(self._owed)

    def head(self) -> Head:
        """Where the trail ends now. Raises IntegrityError or StorageError."""
        with self._lock, self.segments.locked():
            return self._begun()

    def open_intents(self) -> Mapping[int, Opened]:
        """Intents of which no outcome is known, by number."""
        return self.head().open

    def restart(self, why: str, commits: int) -> tuple[Path | None, Written]:
        """Set the trail aside, whatever state it is in, and begin another, whose first record says why.

        ``commits``: the number of the mart's last commit; what is told of those up to it is then not looked for. Where
        the old trail is now (None: there was none), and the record. Raises StorageError.
        """
        with self._lock, self.segments.locked():
            aside, instead = None, self._identities()
            if self.segments.numbers() or self._file.read() is not None:
                aside = self.folder.with_name(f"{self.folder.name}.{self._clock():%Y%m%dT%H%M%S%f}")
                try:
                    self.folder.rename(aside)
                except OSError as error:
                    raise self.segments.fault("set aside", error) from error
        with self._lock, self.segments.locked():
            told = {"trail": uuid4().hex, "instead": instead, "commits": commits}
            return aside, self._add(Head(), Record("trail.begin", Phase.EVENT, why=why, detail=told))

    def _identities(self) -> list[str]:
        """What the first record calls this trail and those before it, as far as it can be read."""
        first = next((line for _, line in self.segments.lines(1)), b"")
        values = parse(first.rstrip(b"\n"))
        detail = values.get("detail") if isinstance(values, dict) else None
        if not isinstance(detail, dict):
            return []
        before = detail.get("instead")
        return [str(detail.get("trail", "")), *(map(str, before) if isinstance(before, list) else ())]

    def _begun(self) -> Head:
        """The end of the trail, which is begun if there is none."""
        head = self._found()
        if not head.n:
            self._add(head, Record("trail.begin", Phase.EVENT, detail={"trail": uuid4().hex}))
        return head

    def _found(self) -> Head:
        """Where the segments end: from where ``head.json`` says on, else from their beginning."""
        numbers = self.segments.numbers()
        known = self._file.read()
        if known is not None and (not numbers or known.n) and self.segments.length(known.segment) < known.end:
            raise IntegrityError(
                f"the audit trail {self.folder} ends before its record {known.n}: records were taken away. Run "
                "clinmart audit verify; clinmart audit restart sets it aside and begins another"
            )
        head = known or Head()
        if numbers and known is None:
            head.segment = numbers[0]
        for number in [one for one in numbers if one >= head.segment]:
            if number != head.segment:
                head.segment, head.end = number, 0
            self._absorb(head)
        return head

    def _absorb(self, head: Head) -> None:
        """Go on over lines that others wrote since, and take away what is left of one that was cut short."""
        for end, line in self.segments.lines(head.segment, head.end):
            if not line.endswith(b"\n"):
                self.segments.cut(head.segment, end - len(line))
                torn = {"bytes": len(line), "sha256": hashlib.sha256(line).hexdigest()}
                self._add(head, Record("trail.torn", Phase.EVENT, detail=torn))
                return
            values = parse(line[:-1])
            if isinstance(values, str) or values["n"] != head.n + 1 or values["prev"] != head.hash:
                raise IntegrityError(
                    f"the audit trail {self.folder} is damaged after record {head.n}: run clinmart audit verify; "
                    "clinmart audit restart sets it aside and begins another"
                )
            head.take(values, end)

    def _add(self, head: Head, record: Record) -> Written:
        """Write a record behind ``head``, which moves."""
        at = self._clock().astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        line, made = render(record, self.who, head.n + 1, at, head.hash)
        segment, end = head.segment, head.end
        if end and end + len(line) + 1 > self.segments.size:
            segment, end = segment + 1, 0
        self.segments.append(segment, line + b"\n", end)
        values = parse(line)
        assert isinstance(values, dict)
        head.segment = segment
        head.take(values, end + len(line) + 1)
        self._file.write(head)
        return Written(head.n, made, head.trail)
