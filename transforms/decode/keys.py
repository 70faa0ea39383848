"""Which JSON keys occur in a batch of lines at all, so that what is absent is neither read nor carried along.

Tables are wide and data are sparse: a projection over only the keys that occur costs what the data cost, however many
columns a model has. A key that does not stand in the text cannot be in any object, so nothing is missed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import polars as pl

from transforms.decode.suspects import matching
from transforms.project import Present

_FEW = 200
_RARE = 0.2  # share of the lines up to which it is worth while to look at those with a list by themselves
_ESCAPE = "\\u00"
_ESCAPED_KEY = r'"[^"\\]*\\u00[^"]*"\s*:'  # a key spelled with escapes cannot be found by its name


class KeyMemory:
    """The keys of one resource type that have been seen so far on this thread; it only grows.

    ``lists`` are keys of lists whose items have keys that mostly stand elsewhere in the resource: for them the keys of
    the lines that have the list are kept apart.
    """

    def __init__(self, keys: frozenset[str], lists: Iterable[str] = ()) -> None:
        self._keys = keys
        self._seen: frozenset[str] = frozenset()
        self._within: dict[str, KeyMemory | None] = {name: KeyMemory(keys) for name in sorted(lists)}

    def present(self, text: pl.Series) -> Present:
        """Keys that may occur in these lines: all that do, and those seen in earlier lines."""
        return self.look(text, ())[0]

    def look(self, text: pl.Series, patterns: Sequence[str]) -> tuple[Present, pl.Series]:
        """The same, and (UInt32) the indexes of the lines that one of the regular expressions finds, in the same scan;
        keys are searched together with the first of them.
        """
        if text.str.contains(_ESCAPE, literal=True).any() and text.str.contains(_ESCAPED_KEY).any():
            return Present(self._keys), matching(text, patterns)
        self._learn(text.head(_FEW))  # a few lines show nearly all keys; the scan of all then finds next to nothing
        missing = self._missing()
        if missing is None:
            return Present(self._seen, tuple(self._lists(text))), matching(text, patterns)
        hits = matching(text, ("|".join((*patterns[:1], missing)), *patterns[1:]))
        lines = text.gather(hits)
        self._learn(lines)
        return Present(self._seen, tuple(self._lists(text))), hits.gather(matching(lines, patterns))

    def _lists(self, text: pl.Series) -> Iterable[tuple[str, frozenset[str]]]:
        """The lists that few lines have, and the keys in those lines."""
        for name, memory in self._within.items():
            if memory is None or name not in self._seen:
                continue
            having = text.filter(text.str.contains(f'"{name}"', literal=True))
            if len(having) > _RARE * len(text):
                self._within[name] = None  # from now on
            else:
                memory._learn(having)
                yield name, memory._seen

    def _missing(self) -> str | None:
        """A regular expression that finds the keys not seen so far."""
        missing = sorted(self._keys - self._seen)
        return f'"(?:{"|".join(map(re.escape, missing))})"\\s*:' if missing else None

    def _learn(self, text: pl.Series) -> None:
        pattern = self._missing()
        if pattern is None:
            return
        hits = text.filter(text.str.contains(pattern))
        if len(hits):
            found = hits.str.extract_all(pattern).explode(empty_as_null=False).unique().to_list()
            self._seen |= {key.split('"')[1] for key in found}
