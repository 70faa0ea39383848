"""Spellings of units that are not UCUM, or are and mean something else: `aliases.csv`, each row with its evidence."""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Alias:
    """What a spelling means: ``status`` is `mapped`, `not_a_unit` or `ambiguous`; ``ucum`` its meaning, of an ambiguous
    one the meanings that a code can decide between, in an order without weight.
    """

    ucum: tuple[str, ...]
    status: str


@dataclass(frozen=True, slots=True)
class Spellings:
    """Spellings of one scope; those that hold in any case are kept folded."""

    exact: dict[str, Alias]
    folded: dict[str, Alias]

    def find(self, text: str) -> Alias | None:
        """The meaning of a spelling; as it stands before any case."""
        return self.exact.get(text) or self.folded.get(text.casefold())


@functools.cache
def spellings(scope: str) -> Spellings:
    """The spellings of whole texts (``whole``), of parts between operators (``part``), or of words that name what is
    measured and become annotations (``annotation``).
    """
    found = Spellings({}, {})
    text = (files("schemas.units") / "aliases.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        if row["scope"] == scope:
            alias = Alias(tuple(filter(None, row["ucum"].split("|"))), row["status"])
            if row["any_case"] == "yes":
                found.folded[row["spelling"].casefold()] = alias
            else:
                found.exact[row["spelling"]] = alias
    return found
