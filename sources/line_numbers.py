"""Which line begins at which byte of a file, as far as readings have found out."""

from __future__ import annotations


class LineNumbers:
    """Remembers counted lines, so that the ranges of a large file do not all count from its beginning.

    Files are told apart by name and stamp. Safe to use from several threads, and may be pickled.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, tuple[int, int]], dict[int, int]] = {}

    def nearest(self, uri: str, stamp: tuple[int, int], position: int) -> tuple[int, int]:
        """The last known line start at or before ``position`` and the number of its line; the start is line
        1."""
        known = self._known.get((uri, stamp), {})
        best = max((at for at in list(known) if at <= position), default=0)
        return best, known.get(best, 1)

    def learn(self, uri: str, stamp: tuple[int, int], position: int, line: int) -> None:
        """Note that line number ``line`` begins at byte ``position``."""
        self._known.setdefault((uri, stamp), {})[position] = line
