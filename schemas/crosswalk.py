"""A crosswalk: what maps say about codes of one system in the words of another, as it passes between the rooms.

One :class:`Crosswalk` holds all maps that a load was given. It is made by :mod:`sources.crosswalks` and never changed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

import polars as pl


class Closeness(StrEnum):
    """What a target is worth for a code that is to be shown in its place."""

    SAME = "same"  # means the same
    BROADER = "broader"  # the code is a kind of it: true of every case, but says less
    OTHER = "other"  # narrower, overlapping or merely related: not true of every case
    NONE = "none"  # the map says that there is no target


# FHIR STU3 and R4 `equivalence` (R4 4.10, concept-map-equivalence), which says what the target is to the source, and
# R5 `relationship` (concept-map-relationship), which says what the source is to the target.
CLOSENESS: dict[str, Closeness] = {
    "equal": Closeness.SAME,
    "equivalent": Closeness.SAME,
    "wider": Closeness.BROADER,
    "subsumes": Closeness.BROADER,
    "source-is-narrower-than-target": Closeness.BROADER,
    "narrower": Closeness.OTHER,
    "specializes": Closeness.OTHER,
    "source-is-broader-than-target": Closeness.OTHER,
    "inexact": Closeness.OTHER,
    "relatedto": Closeness.OTHER,
    "related-to": Closeness.OTHER,
    "unmatched": Closeness.NONE,
    "disjoint": Closeness.NONE,
    "not-related-to": Closeness.NONE,
}
UNMATCHED = "unmatched"  # also what R5's `noMap` says

FIXED, PROVIDED = "fixed", "provided"  # what a map gives for codes that it does not list: one code, or the code itself

# One row a source code and target. `source_code` is null for what a map gives for codes that it does not list
# (`equivalence` is then fixed or provided), `equivalence` for a code that is listed without any target.
ENTRY_SCHEMA: dict[str, type[pl.DataType]] = {
    "map": pl.UInt32,  # number of its map in `Crosswalk.maps`
    "source_system": pl.String,
    "source_version": pl.String,
    "source_code": pl.String,
    "source_display": pl.String,
    "target_system": pl.String,
    "target_version": pl.String,
    "target_code": pl.String,
    "target_display": pl.String,
    "equivalence": pl.String,
    "conditional": pl.Boolean,  # holds only together with other elements (`dependsOn`, `product`)
}


@dataclass(frozen=True, slots=True)
class CrosswalkMap:
    """One map: a ConceptMap, or the rows of one `map_version` of a CSV file.

    ``level`` is 0 unless another map leaves codes to this one (`unmapped` with `other-map`): then it is consulted after
    that one. ``sha256`` is that of the file's bytes, in hex.
    """

    uri: str
    sha256: str
    url: str | None
    version: str | None
    level: int
    entries: int


@dataclass(frozen=True, slots=True, eq=False)
class Crosswalk:
    """All maps of a load, with their entries (:data:`ENTRY_SCHEMA`); systems are canonical."""

    maps: tuple[CrosswalkMap, ...]
    entries: pl.DataFrame

    @property
    def digest(self) -> str:
        """SHA-256 over the files of the maps, in hex: crosswalks of one digest map alike, in whatever order given."""
        whole = hashlib.sha256()
        for sha256 in sorted({one.sha256 for one in self.maps}):
            whole.update(bytes.fromhex(sha256))
        return whole.hexdigest()

    def __eq__(self, other: object) -> bool:
        """Crosswalks of the same files are the same."""
        return isinstance(other, Crosswalk) and self.digest == other.digest

    def __hash__(self) -> int:
        """Hash of the digest."""
        return hash(self.digest)
