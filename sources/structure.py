"""The brackets of a JSON document, found with numpy and without parsing what is between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

SHALLOW = 2  # brackets deeper than an element of a top-level array are counted but not reported
_QUOTE, _BACKSLASH = ord('"'), ord("\\")
_LINE_FEED, _RETURN = ord("\n"), ord("\r")
_OPENS = 0x02  # the bit that tells { and [ from } and ]


# One bracket outside strings: its place in the block, the depth after it, and whether it opens. A plain
# tuple, because there are two for each entry of a Bundle and a class would take a tenth of the time.
Bracket = tuple[int, int, bool]


class BracketScanner:
    """Follows strings, escapes and depth through a document (RFC 8259), whatever the blocks it comes in.

    ``depth`` and ``in_string`` describe the end of what was scanned. Kinds of brackets are not matched:
    ``[}`` is level again. ``broken_string`` is the offset of the first line break inside a string, which
    JSON forbids.
    """

    def __init__(self) -> None:
        self.depth = 0
        self.in_string = False
        self.broken_string: int | None = None
        self._escaped = False  # the block before ended in a backslash that escapes the next byte
        self._offset = 0

    def scan(self, block: bytes) -> list[Bracket]:
        """The brackets of ``block`` with a side at depth 2 or less; the others move ``depth`` only."""
        if not block:
            return []
        at, kind = self._marks(block)
        quotes = kind == _QUOTE
        inside = (np.cumsum(quotes, dtype=np.int32) + int(self.in_string)) & 1
        self._look_for_broken_string(at, kind, inside)
        if len(inside):
            self.in_string = bool(inside[-1])
        brackets = (inside == 0) & ~quotes & (kind > _RETURN)
        at, kind = at[brackets], kind[brackets]
        opens = (kind & _OPENS) != 0
        step = np.where(opens, np.int32(1), np.int32(-1))
        after = np.cumsum(step, dtype=np.int32) + np.int32(self.depth)
        if len(after):
            self.depth = int(after[-1])
        self._offset += len(block)
        shallow = np.flatnonzero(np.minimum(after, after - step) <= SHALLOW)
        columns = (at[shallow].tolist(), after[shallow].tolist(), opens[shallow].tolist())
        return list(zip(*columns, strict=True))

    def _marks(self, block: bytes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
        """Places and kinds of quotes, brackets and line breaks that no backslash escapes."""
        data = np.frombuffer(block, dtype=np.uint8)
        # { | } are 0x7b-0x7d and [ \ ] the same less 0x20
        wanted = ((data | 0x20) - np.uint8(0x7B)) <= 2
        wanted &= data != ord("|")
        wanted |= data == _QUOTE
        if b"\n" in block or b"\r" in block:
            wanted |= (data == _LINE_FEED) | (data == _RETURN)
        at = np.flatnonzero(wanted)
        kind = data[at]
        backslashes = at[kind == _BACKSLASH]
        if not self._escaped and not len(backslashes):
            return at, kind
        escaped = np.zeros(len(block) + 1, dtype=np.bool_)
        escaped[0] = self._escaped
        escaped[_escaping(backslashes, first_is_escaped=self._escaped) + 1] = True
        self._escaped = bool(escaped[-1])
        keep = (~escaped[at] & (kind != _BACKSLASH)) | (kind <= _RETURN)  # a line break is none the better for it
        return at[keep], kind[keep]

    def _look_for_broken_string(
        self, at: npt.NDArray[np.int64], kind: npt.NDArray[np.uint8], inside: npt.NDArray[np.int32]
    ) -> None:
        if self.broken_string is None:
            broken = np.flatnonzero((kind <= _RETURN) & (inside == 1))
            if len(broken):
                self.broken_string = self._offset + int(at[broken[0]])


def is_balanced(data: bytes) -> bool:
    """True when ``data`` begins with a bracket that is closed by its last byte and not before."""
    if not data.startswith((b"{", b"[")):
        return False
    scanner = BracketScanner()
    closed = [at for at, depth, _ in scanner.scan(data) if depth <= 0]
    return not scanner.in_string and closed == [len(data) - 1]


def _escaping(backslashes: npt.NDArray[np.int64], *, first_is_escaped: bool) -> npt.NDArray[np.int64]:
    """Those backslashes that escape what follows: the first, third, fifth ... of each run."""
    if first_is_escaped and len(backslashes) and backslashes[0] == 0:
        backslashes = backslashes[1:]
    order = np.arange(len(backslashes))
    begins = np.ones(len(backslashes), dtype=np.bool_)
    begins[1:] = np.diff(backslashes) != 1
    run = np.maximum.accumulate(np.where(begins, order, 0)) if len(order) else order
    first_third_fifth: npt.NDArray[np.int64] = backslashes[(order - run) % 2 == 0]
    return first_third_fifth
