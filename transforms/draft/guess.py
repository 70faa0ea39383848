"""Which table a header is about, and which of its columns fills what."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import polars as pl

from transforms.draft.profile import Profile
from transforms.draft.words import WORDS, snake_words

_SURE = 2  # of a name that only this table has
# Words of columns that may name a row, those that may do so together with others, and those that say whose it is.
_NAMES = frozenset({"id", "key", "accession", "order", "csn", "number", "num", "uuid", "guid", "record"})
_PARTS = frozenset({"patient", "person", "subject", "mrn", "encounter", "visit", "code", "test", "loinc", "line"}) | {
    "item", "date", "time", "datetime", "charttime",
}  # fmt: skip
_WHO = frozenset({"patient", "person", "subject", "mrn", "encounter", "visit"})
_MOST_KEYS, _MOST_NAMES = 4, 12


def guess_table(names: Sequence[str]) -> str | None:
    """The table whose words the header has most of; None where it has hardly any."""
    words = [snake_words(name) for name in names]
    scores = {}
    for table, targets in WORDS.items():
        own = set(targets[""].split())
        known = {word for target, many in targets.items() if target for word in many.split()}
        scores[table] = sum(_SURE * _has(word, own) + (word in known) for word in words)
    best = max(scores, key=lambda table: scores[table])
    return best if scores[best] > _SURE else None


def _has(word: str, own: set[str]) -> bool:
    return word in own or any(part in own for part in word.split("_"))


def guess_targets(table: str, names: Sequence[str]) -> dict[str, str]:
    """The column for each target, ``id`` and ``last_updated`` among them; each column is taken once."""
    words = {snake_words(name): name for name in reversed(names)}
    found: dict[str, str] = {}
    taken: set[str] = set()
    for target, many in WORDS[table].items():
        if not target:
            continue
        own = (f"{table}_id", "id", "uuid", "key") if target == "id" else ()
        for word in (*many.split(), *own):
            column = words.get(word)
            if column is not None and column not in taken:
                found[target] = column
                taken.add(column)
                break
    if "value" in found and "value_number" in found:  # of OMOP, where the one repeats the other
        del found["value"]
    return found


def guess_keys(sample: pl.DataFrame, profiles: Sequence[Profile]) -> tuple[str, ...]:
    """The fewest columns that together tell the rows of the sample apart; none where there are no such."""
    whole = [p.name for p in profiles if p.filled == p.rows]
    names = [name for name in whole if _words(name) & (_NAMES | _PARTS)][:_MOST_NAMES]
    for many in range(1, _MOST_KEYS + 1):
        for some in itertools.combinations(names, many):
            words = set().union(*map(_words, some))
            if (words & _NAMES if many == 1 else words & (_NAMES | _WHO)) and sample.select(some).is_unique().all():
                return some
    return ()


def _words(name: str) -> set[str]:
    """The words of a name that may be of a key, also as endings (``orderid``)."""
    parts = snake_words(name).split("_")
    return {word for word in _NAMES | _PARTS for part in parts if part == word or part[2:].endswith(word)}
