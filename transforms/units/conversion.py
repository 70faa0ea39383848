"""From a number in one unit to the number in another: exact where the scales are ratio or interval scales."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import polars as pl

from transforms.units.ucum import Special, Unit, described

# Kelvin at the zero of each interval scale, in degrees of that scale.
_ZERO = {"Cel": Fraction(27315, 100), "degF": Fraction(45967, 100), "degRe": Fraction(21852, 100)}
# Annotations that say what the number counts; they cannot be dropped or changed. A logarithm has no factor at all.
_MEANINGFUL = frozenset({"FEU", "DDU"})


class IncompatibleError(ValueError):
    """There is no conversion; the message says why, in words that hold no value."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """``y = after(before(x * scale) * middle) * factor + offset``; without ``before`` and ``after``, linear."""

    factor: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)
    before: str = ""  # the special function whose scale the number is on
    scale: Fraction = Fraction(1)
    middle: Fraction = Fraction(1)
    after: str = ""  # the special function whose scale the result is on

    @property
    def is_linear(self) -> bool:
        """Whether factor and offset say it all."""
        return not self.before and not self.after

    def of(self, number: Fraction) -> Fraction:
        """The converted number: exact when linear, else to the precision of a double."""
        if self.is_linear:
            return number * self.factor + self.offset
        ratio = Fraction(_INVERSE[self.before](float(number * self.scale))) if self.before else number
        ratio *= self.middle
        done = Fraction(_FORWARD[self.after](float(ratio))) if self.after else ratio
        return done * self.factor + self.offset

    def expression(self, number: pl.Expr) -> pl.Expr:
        """The same of a Float64 column; null where the scale has no such number."""
        if self.is_linear:
            return number * float(self.factor) + float(self.offset)
        ratio = _INVERSE_OF_COLUMN[self.before](number * float(self.scale)) if self.before else number
        ratio = ratio * float(self.middle)
        made = _FORWARD_OF_COLUMN[self.after](ratio) if self.after else ratio
        made = made * float(self.factor) + float(self.offset)
        return pl.when(made.is_finite()).then(made)


@functools.lru_cache(maxsize=20_000)
def conversion(one: Unit, other: Unit) -> Conversion:
    """From ``one`` to ``other``; IncompatibleError where numbers of one cannot be numbers of the other."""
    if one.dimension != other.dimension:
        raise IncompatibleError(f"{described(one.dimension)} is not {described(other.dimension)}")
    _annotations(one, other)
    if not one.dimension and one.amounts != other.amounts:
        raise IncompatibleError("a ratio of amounts of substance is no ratio of anything else")
    if one == other:
        return Conversion()
    start, end = _scale(one), _scale(other)
    if isinstance(start, Linear) and isinstance(end, Linear):
        factor = start.factor / end.factor
        return Conversion(factor, (start.offset - end.offset) / end.factor)
    if isinstance(start, Linear) and isinstance(end, Special):
        return Conversion(1 / end.scale, before="", middle=start.factor / end.factor, after=end.function)
    if isinstance(start, Special) and isinstance(end, Linear):
        return Conversion(1 / end.factor, before=start.function, scale=start.scale, middle=start.factor)
    assert isinstance(start, Special), "two special scales are left"
    assert isinstance(end, Special), "two special scales are left"
    middle = start.factor / end.factor
    return Conversion(1 / end.scale, before=start.function, scale=start.scale, middle=middle, after=end.function)


@dataclass(frozen=True, slots=True)
class Linear:
    """A number on the scale is ``number * factor + offset`` in base units."""

    factor: Fraction
    offset: Fraction = Fraction(0)


def _scale(unit: Unit) -> Linear | Special:
    special = unit.special
    if special is None:
        return Linear(unit.factor)
    if special.function in _ZERO:
        return Linear(special.scale * special.factor, _ZERO[special.function] * special.factor)
    if special.function not in _INVERSE:
        raise IncompatibleError(f"the scale {special.function} has no numbers to convert")
    return special


def _annotations(one: Unit, other: Unit) -> None:
    """Annotations may describe (`{creat}`) and be left out on one side; two different ones are two things."""
    if one.annotations == other.annotations:
        return
    both = (*one.annotations, *other.annotations)
    binding = any(text in _MEANINGFUL or text.casefold().startswith("log") for text in both)
    if binding or (one.annotations and other.annotations):
        raise IncompatibleError("the annotations name different things")


def _lg(ratio: float) -> float:
    return math.log10(ratio)


# What a number on a special scale says of the ratio (UCUM 4.5), and back.
_INVERSE: dict[str, Callable[[float], float]] = {
    "ln": math.exp,
    "lg": lambda v: 10.0**v,
    "lgTimes2": lambda v: 10.0 ** (v / 2),
    "ld": lambda v: 2.0**v,
    "pH": lambda v: 10.0**-v,
    "sqrt": lambda v: v * v,
    "tanTimes100": lambda v: math.atan(v / 100),
    "100tan": lambda v: math.degrees(math.atan(v / 100)),
}
_FORWARD: dict[str, Callable[[float], float]] = {
    "ln": math.log,
    "lg": _lg,
    "lgTimes2": lambda r: 2 * math.log10(r),
    "ld": math.log2,
    "pH": lambda r: -math.log10(r),
    "sqrt": math.sqrt,
    "tanTimes100": lambda r: 100 * math.tan(r),
    "100tan": lambda r: 100 * math.tan(math.radians(r)),
}
_INVERSE_OF_COLUMN: dict[str, Callable[[pl.Expr], pl.Expr]] = {
    "ln": lambda v: v.exp(),
    "lg": lambda v: pl.lit(10.0).pow(v),
    "lgTimes2": lambda v: pl.lit(10.0).pow(v / 2),
    "ld": lambda v: pl.lit(2.0).pow(v),
    "pH": lambda v: pl.lit(10.0).pow(-v),
    "sqrt": lambda v: v * v,
    "tanTimes100": lambda v: (v / 100).arctan(),
    "100tan": lambda v: (v / 100).arctan().degrees(),
}
_FORWARD_OF_COLUMN: dict[str, Callable[[pl.Expr], pl.Expr]] = {
    "ln": lambda r: r.log(),
    "lg": lambda r: r.log(10),
    "lgTimes2": lambda r: 2 * r.log(10),
    "ld": lambda r: r.log(2),
    "pH": lambda r: -r.log(10),
    "sqrt": lambda r: r.sqrt(),
    "tanTimes100": lambda r: 100 * r.tan(),
    "100tan": lambda r: 100 * r.radians().tan(),
}
