"""What a crosswalk gives for each code: one target, or the reason why there is none.

Never guessed: a code gets the one target that means the same, else the one that is broader (true of every case, though
it says less). Several of either: none of them. Narrower, overlapping or merely related targets would claim more than
was said; targets that hold only together with other elements cannot be judged from a code. What a map gives for codes
that it does not list (`unmapped`) is for codes that no map lists at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import polars as pl

from schemas.crosswalk import CLOSENESS, PROVIDED, Closeness, Crosswalk

_RANKS = {Closeness.SAME: 0, Closeness.BROADER: 1, Closeness.OTHER: 2, Closeness.NONE: 3}


class Outcome(IntEnum):
    """What became of a code, the best first."""

    MAPPED = 0
    AMBIGUOUS = 1  # several targets are equally good
    INEXACT = 2  # there are targets, but none that is true of every case
    NO_TARGET = 3  # the maps say that there is none
    NOT_LISTED = 4  # no map says anything of it

    @property
    def word(self) -> str:
        """Its name in the mart."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """A crosswalk made ready for joins; no (system, code) stands in it twice.

    ``codes``: system, code, mapped, mapped_system (String), outcome (UInt8). ``defaults``, for codes that are not
    listed: system, default_mapped (null: the code itself), default_system (String), default_outcome (UInt8).
    ``systems``: all systems of which codes are mapped.
    """

    codes: pl.DataFrame
    defaults: pl.DataFrame
    systems: tuple[str, ...]


def targets_of(crosswalk: Crosswalk) -> Targets:
    """The targets of a crosswalk. The order of its entries and files changes nothing."""
    levels = pl.DataFrame(
        {"map": range(len(crosswalk.maps)), "level": [one.level for one in crosswalk.maps]},
        schema={"map": pl.UInt32, "level": pl.UInt32},
    )
    entries = crosswalk.entries.rename({"source_system": "system", "source_code": "code"}).join(levels, on="map")
    return Targets(
        _codes(entries.filter(pl.col("code").is_not_null())),
        _defaults(entries.filter(pl.col("code").is_null())),
        tuple(sorted(entries["system"].unique())),
    )


def _codes(entries: pl.DataFrame) -> pl.DataFrame:
    rank = pl.col("equivalence").replace_strict(
        {word: _RANKS[closeness] for word, closeness in CLOSENESS.items()}, default=None, return_dtype=pl.UInt8
    )
    said = entries.filter(pl.col("equivalence").is_not_null()).with_columns(
        rank=pl.when(pl.col("conditional") & (rank < _RANKS[Closeness.NONE]))
        .then(_RANKS[Closeness.OTHER])
        .otherwise(rank)
    )
    # A map that others leave codes to has its say only on codes that those do not list.
    first = pl.col("level") == pl.col("level").min().over("system", "code")
    best = said.filter(first).filter(pl.col("rank") == pl.col("rank").min().over("system", "code"))
    distinct = best.unique(["system", "code", "target_system", "target_code"])
    usable = pl.col("rank").first() <= _RANKS[Closeness.BROADER]
    one = usable & (pl.len() == 1)
    return (
        distinct.group_by("system", "code")
        .agg(
            mapped=pl.when(one).then(pl.col("target_code").first()),
            mapped_system=pl.when(one).then(pl.col("target_system").first()),
            outcome=pl.when(one)
            .then(int(Outcome.MAPPED))
            .when(usable)
            .then(int(Outcome.AMBIGUOUS))
            .when(pl.col("rank").first() == _RANKS[Closeness.OTHER])
            .then(int(Outcome.INEXACT))
            .otherwise(int(Outcome.NO_TARGET))
            .cast(pl.UInt8),
        )
        .sort("system", "code")
    )


def _defaults(entries: pl.DataFrame) -> pl.DataFrame:
    first = pl.col("level") == pl.col("level").min().over("system")
    # The code itself is no code of the map's.
    own = pl.when(pl.col("equivalence") != PROVIDED).then("target_code").alias("target_code")
    given = entries.filter(first).with_columns(own)
    one = pl.len() == 1
    return (
        given.unique(["system", "target_system", "target_code", "equivalence"])
        .group_by("system")
        .agg(
            default_mapped=pl.when(one).then(pl.col("target_code").first()),
            default_system=pl.when(one).then(pl.col("target_system").first()),
            default_outcome=pl.when(one).then(int(Outcome.MAPPED)).otherwise(int(Outcome.AMBIGUOUS)).cast(pl.UInt8),
        )
        .sort("system")
    )
