"""Which JSON keys occur in a batch of lines at all, so that what is absent is neither read nor carried along.

Tables are wide and data are sparse: a projection over only the keys that occur costs what the data cost, however many
columns a model has. A key that does not stand in the text cannot be in any object, so nothing is missed.
"""

from __future__ import annotations

import re

import polars as pl

_FEW = 200
_ESCAPE = "\\u00"
_ESCAPED_KEY = r'"[^"\\]*\\u00[^"]*"\s*:'  # a key spelled with escapes cannot be found by its name


class KeyMemory:
    """The keys of one resource type that have been seen so far on this thread; it only grows."""

    def __init__(self, keys: frozenset[str]) -> None:
        self._keys = keys
        self._seen: frozenset[str] = frozenset()

    def present(self, text: pl.Series) -> frozenset[str]:
        """Keys that may occur in these lines: all that do, and those seen in earlier lines."""
        if text.str.contains(_ESCAPE, literal=True).any() and text.str.contains(_ESCAPED_KEY).any():
            return self._keys
        # A few lines show nearly all keys; the scan of the rest then finds next to nothing.
        for lines in (text.head(_FEW), text):
            self._learn(lines)
        return self._seen

    def _learn(self, text: pl.Series) -> None:
        missing = sorted(self._keys - self._seen)
        if not missing:
            return
        pattern = f'"(?:{"|".join(map(re.escape, missing))})"\\s*:'
        hits = text.filter(text.str.contains(pattern))
        if len(hits):
            found = hits.str.extract_all(pattern).explode(empty_as_null=False).unique().to_list()
            self._seen |= {key.split('"')[1] for key in found}
