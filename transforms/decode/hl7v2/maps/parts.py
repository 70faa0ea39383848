"""A datatype as a function from the components of one repetition to a FHIR type, worked out once for each distinct
text.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from transforms.decode.hl7v2.fields import component, text
from transforms.decode.hl7v2.separators import Separators

_WHOLE = "whole"
_FEW = 1000  # texts; for fewer than these it costs more to find what is split twice than to split it twice


class Parts:
    """The components of one repetition, as columns. It notes which are asked for, so that no other is split off."""

    def __init__(self, separators: Separators, components: int, subcomponents: int) -> None:
        self._separators = separators
        self._components = components
        self._subcomponents = subcomponents
        self._wanted: dict[str, pl.Expr] = {}
        self._kept: list[pl.Expr] = []

    def __call__(self, number: int, sub: int = 1) -> pl.Expr:
        """Component ``number``, of it subcomponent ``sub``: unescaped text (String), null where it is empty."""
        if not self.has(number, sub):
            return pl.lit(None, dtype=pl.String)
        name = f"{number}.{sub}"
        self._wanted[name] = component(pl.col("value"), self._separators, number, sub)
        return pl.col(name)

    def has(self, number: int, sub: int = 1) -> bool:
        """True when any of the texts may have that component."""
        return number <= self._components and sub <= self._subcomponents

    def once(self, made: pl.Expr) -> pl.Expr:
        """What an expression makes, as a column: it is worked out once, however often that column is asked for."""
        name = f"~{len(self._kept)}"
        self._kept.append(made.alias(name))
        return pl.col(name)

    @property
    def whole(self) -> pl.Expr:
        """The repetition as one primitive value, unescaped (String)."""
        self._wanted[_WHOLE] = text(pl.col("value"), self._separators)
        return pl.col(_WHOLE)

    @property
    def sent(self) -> pl.Expr:
        """The repetition as sent (String)."""
        return pl.col("value")

    def worked_out(self, values: pl.Series, made: pl.Expr) -> pl.Series:
        """``made``, an expression over what was asked for, for the repetitions ``values`` (String)."""
        asked = [split.alias(name) for name, split in self._wanted.items()]
        frame = values.alias("value").to_frame()
        if frame.height < _FEW:
            frame = frame.with_columns(asked)
            for kept in self._kept:
                frame = frame.with_columns(kept)
            return frame.with_columns(made.alias("made"))["made"]
        lazy = frame.lazy().with_columns(asked)
        for kept in self._kept:
            lazy = lazy.with_columns(kept)
        return lazy.with_columns(made.alias("made")).select("made").collect()["made"]


Datatype = Callable[[Parts], pl.Expr]


def work_out(values: pl.Series, datatype: Datatype, separators: Separators) -> pl.Series:
    """The FHIR type that ``datatype`` makes of single repetitions (String, as sent), in their order."""
    parts = Parts(separators, _most(values, separators.component), _most(values, separators.subcomponent))
    return parts.worked_out(values, datatype(parts))


def _most(values: pl.Series, mark: str) -> int:
    """The greatest number of pieces that a mark parts a text into."""
    if not mark:
        return 1
    most = values.str.count_matches(mark, literal=True).max()
    return 1 + (most if isinstance(most, int) else 0)


def whole(parts: Parts) -> pl.Expr:
    """A primitive value: ST, ID, IS, NM, SI, TX, FT (String)."""
    return parts.whole


def moment(parts: Parts) -> pl.Expr:
    """DTM, DT, TM, or the first component of TS: the text as sent (String), for the normaliser reads it."""
    return parts(1)
