"""A datatype as a function from the components of one repetition to a FHIR type, worked out once for each distinct
text.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from transforms.decode.hl7v2.escapes import unescaped
from transforms.decode.hl7v2.fields import CLEARED
from transforms.decode.hl7v2.separators import Separators

_WHOLE = "whole"
_PIECES = "pieces"
_FEW = 1000  # texts; for fewer than these a better plan costs more than it saves
_PLAIN = pl.QueryOptFlags.none()


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
        piece = pl.col(_PIECES).list.get(number - 1, null_on_oob=True)
        if self._subcomponents > 1:
            piece = piece.str.split(self._separators.subcomponent).list.get(sub - 1, null_on_oob=True)
        self._wanted[name] = piece
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
        self._wanted[_WHOLE] = pl.col("value")
        return pl.col(_WHOLE)

    @property
    def sent(self) -> pl.Expr:
        """The repetition as sent (String)."""
        return pl.col("value")

    def worked_out(self, values: pl.Series, made: pl.Expr) -> pl.Series:
        """``made``, an expression over what was asked for, for the repetitions ``values`` (String)."""
        frame = values.alias("value").to_frame().lazy()
        if not self._wanted.keys() <= {_WHOLE}:
            mark = self._separators.component
            pieces = pl.col("value").str.split(mark) if mark else pl.concat_list("value")
            frame = frame.with_columns(pieces.alias(_PIECES))
        steps = [
            [piece.alias(name) for name, piece in self._wanted.items()],
            [_told(pl.col(name), self._separators).alias(name) for name in self._wanted],
            *([kept] for kept in self._kept),
            [made.alias("made")],
        ]
        for step in steps:
            frame = frame.with_columns(step)
        few = len(values) < _FEW
        return frame.select("made").collect(optimizations=_PLAIN if few else pl.QueryOptFlags())["made"]


def _told(piece: pl.Expr, separators: Separators) -> pl.Expr:
    return pl.when((piece != "") & (piece != CLEARED)).then(unescaped(piece, separators))


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
