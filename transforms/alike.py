"""Rows that are alike in some of their columns: what is made of those columns is made once for all of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from transforms.distinct import WORTH, distinct_rows

_Numbers = npt.NDArray[np.int64]
_SPARSE = 8  # times as many combinations as rows: more are counted by sorting them


@dataclass(frozen=True, slots=True)
class Kinds:
    """The distinct rows of some columns of a frame, and for each row of it (UInt32) which of them it is; None: the rows
    are those of the frame, for most of them differ.
    """

    distinct: pl.DataFrame
    places: pl.Series | None = None

    def spread(self, made: pl.DataFrame) -> pl.DataFrame:
        """What was made of the distinct rows, for each row of the frame."""
        return made if self.places is None else made.select(pl.all().gather(self.places))

    @property
    def weights(self) -> pl.Series | None:
        """For how many rows of the frame each distinct one stands (UInt32); None: for itself."""
        if self.places is None:
            return None
        counts = np.bincount(self.places.to_numpy(), minlength=self.distinct.height)
        return pl.Series(counts.astype(np.uint32))


class Alike:
    """A frame whose columns repeat; its columns may be nested. What is distinct in a column is looked for once."""

    def __init__(self, frame: pl.DataFrame, unlike: Collection[str] = ()) -> None:
        """``unlike`` are columns whose values differ in all rows."""
        self.frame = frame
        self._known: dict[str, Kinds] = {name: Kinds(frame.select(name)) for name in unlike}

    def column(self, name: str) -> Kinds:
        """The distinct values of a column."""
        if name not in self._known:
            one = self.frame.select(name)
            found = distinct_rows(one)
            self._known[name] = Kinds(one) if found is None else Kinds(*found)
        return self._known[name]

    def columns(self, names: Sequence[str]) -> Kinds:
        """The distinct rows of some columns."""
        if len(names) == 1:
            return self.column(names[0])
        each = [self.column(name) for name in names]
        rows = self.frame.select(names)
        if any(kinds.places is None for kinds in each):
            return Kinds(rows)
        numbers = [kinds.places.to_numpy().astype(np.int64) for kinds in each if kinds.places is not None]
        places, count = _combined(zip(numbers, (kinds.distinct.height for kinds in each), strict=True), rows.height)
        if count > WORTH * rows.height:
            return Kinds(rows)
        first = np.empty(count, dtype=np.int64)
        first[places[::-1]] = np.arange(rows.height)[::-1]  # of equal places the last one written stays
        return Kinds(rows[first], pl.Series(places.astype(np.uint32)))


def _combined(columns: Iterable[tuple[_Numbers, int]], height: int) -> tuple[_Numbers, int]:
    """The number of each row's combination of numbers, and how many combinations there are."""
    places, count = np.zeros(height, dtype=np.int64), 1
    for numbers, many in columns:
        places, count = places * many + numbers, count * many
        if count > height:
            places, count = _dense(places, count)
    return _dense(places, count)


def _dense(places: _Numbers, count: int) -> tuple[_Numbers, int]:
    """Numbers below ``count`` as those from 0 on, without gaps."""
    if count > _SPARSE * len(places):
        known, dense = np.unique(places, return_inverse=True)
        return dense, len(known)
    seen = np.zeros(count, dtype=np.bool_)
    seen[places] = True
    order = np.cumsum(seen) - 1
    return order[places], int(seen.sum())
