"""A mapping with the number of each of its entries in a mart."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.mapping.mapping import Mapping


@dataclass(frozen=True, slots=True)
class Numbered:
    """``numbers`` are pairs of an entry's name and its number: 1 for a source's first, one more for each change."""

    mapping: Mapping
    numbers: tuple[tuple[str, int], ...] = ()
