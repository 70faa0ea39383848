"""The elements of a document's top-level ``entry`` array, cut out of a stream exactly as received."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from schemas.records import OversizedLine
from sources.oversized import LongLine
from sources.skeleton import BLANK, Skeleton, malformed
from sources.source import ReadLimits
from sources.structure import Bracket, BracketScanner

_PAIRS = {ord("{"): ord("}"), ord("["): ord("]")}


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its number from 1, its offset in the file, its bytes."""

    line: int
    offset: int
    data: bytes


class _Place(Enum):
    OUTSIDE = auto()  # of the entry array
    BETWEEN = auto()  # its elements
    INSIDE = auto()  # one of them


class EntrySlicer:
    """Cuts a document that begins at ``offset`` of its file; what is no entry goes to ``skeleton``."""

    def __init__(self, uri: str, limits: ReadLimits, skeleton: Skeleton, offset: int) -> None:
        self.count = 0  # elements begun so far
        self._uri = uri
        self._limits = limits
        self._skeleton = skeleton
        self._scanner = BracketScanner()
        self._base = offset  # of the block in hand
        self._origin = offset
        self._place = _Place.OUTSIDE
        self._array_at = 0  # offset of the first byte inside the array
        self._gap = b""  # what stands before the next element, without blanks
        self._empty = True  # no element of this array yet
        self._element_at = 0
        self._parts: list[bytes] = []
        self._held = 0
        self._long: LongLine | None = None

    def slices(self, blocks: Iterable[bytes]) -> Iterator[Element | OversizedLine]:
        """The elements in order; those above ``longest_entry`` come as :class:`OversizedLine`.

        Raises :class:`IntegrityError` when the document is cut, has a line break inside a string, or has
        something other than objects with commas between them in the array. The skeleton is left for the
        caller to judge.
        """
        for block in blocks:
            brackets = self._scanner.scan(block)
            if self._scanner.broken_string is not None:
                at = self._origin + self._scanner.broken_string
                raise malformed(self._uri, at, "a line break inside a string")
            yield from self._cut(block, brackets)
            self._base += len(block)
        if self._scanner.in_string or self._scanner.depth > 0:
            where = "a string" if self._scanner.in_string else f"{self._scanner.depth} open brackets"
            raise malformed(self._uri, self._base, f"the file ends inside {where}")

    def _cut(self, block: bytes, brackets: list[Bracket]) -> Iterator[Element | OversizedLine]:
        taken = 0  # bytes of the block that have been given away
        for at, depth, opens in brackets:
            if self._place is _Place.INSIDE:
                if depth == 2 and not opens:
                    yield self._end_element(block[taken : at + 1], self._base + at)
                    taken = at + 1
            elif self._place is _Place.BETWEEN:
                self._check_gap(block[taken:at], self._base + at, begins=opens)
                taken = at
                if opens:
                    self._place, self._element_at = _Place.INSIDE, self._base + at
                    self.count += 1
                else:
                    self._place = _Place.OUTSIDE
                    self._skeleton.leave_out(self._base + at - self._array_at)
            elif depth < 0:
                raise malformed(self._uri, self._base + at, "a bracket is closed that was never opened")
            elif depth == 2 and opens and block[at] == ord("["):
                self._skeleton.add(block[taken : at + 1])
                taken = at + 1
                if self._skeleton.opens_entries():
                    self._place, self._gap, self._empty = _Place.BETWEEN, b"", True
                    self._array_at = self._base + taken
        self._keep(block[taken:])

    def _keep(self, rest: bytes) -> None:
        """Take the end of a block in which nothing more begins or ends."""
        if self._place is _Place.OUTSIDE:
            self._skeleton.add(rest)
        elif self._place is _Place.BETWEEN:
            self._gap += rest.strip(BLANK)[:2]  # one comma is right, anything more is wrong
        else:
            self._hold(rest)

    def _check_gap(self, before: bytes, at: int, *, begins: bool) -> None:
        """Refuse anything but one comma between two elements, and nothing around them."""
        gap = self._gap + before.strip(BLANK)
        if gap != (b"," if begins and not self._empty else b""):
            what = "`entry` holds something other than objects with one comma between them"
            raise malformed(self._uri, at, what)
        self._gap, self._empty = b"", False

    def _hold(self, part: bytes) -> None:
        self._held += len(part)
        if self._long is not None:
            self._long.feed(part)
            return
        self._parts.append(part)
        if self._held > self._limits.longest_entry:
            self._long = LongLine(self._uri, self._element_at, self.count)
            for each in self._parts:
                self._long.feed(each)
            self._parts = []

    def _end_element(self, part: bytes, at: int) -> Element | OversizedLine:
        if self._held or len(part) > self._limits.longest_entry:
            self._hold(part)
            if self._long is not None:
                long, self._long = self._long, None
                self._place, self._held = _Place.BETWEEN, 0
                return long.finish()
            part = b"".join(self._parts)
            self._parts, self._held = [], 0
        self._place = _Place.BETWEEN
        if part[-1] != _PAIRS[part[0]]:
            raise malformed(self._uri, at, "an entry that begins with one kind of bracket and ends with another")
        return Element(self.count, self._element_at, part)
