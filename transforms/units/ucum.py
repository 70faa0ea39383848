"""UCUM unit expressions, exact: grammar (UCUM 2.2), canonical dimension, factor as a fraction, special functions.

Three things are kept apart that UCUM itself makes numbers: amounts of substance (`mol`), equivalents (`eq`) and each
arbitrary unit (UCUM 3.2) are bases of their own, so that nothing converts between them by accident.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

from schemas.units.essence import Atom, essence

Dimension = tuple[tuple[str, int], ...]
_OWN_BASES = frozenset({"mol", "eq"})
_MAX_EXPONENT = 99
_MAX_LENGTH = 200


class InvalidUnitError(ValueError):
    """Text that is no UCUM expression; the message says why and at which character, counted from 0."""


@dataclass(frozen=True, slots=True)
class Special:
    """A scale that is no ratio scale: a number ``v`` on it means ``inverse(function, v * scale) * factor``."""

    function: str
    scale: Fraction  # of the prefix
    factor: Fraction


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: ``factor`` times the base units of ``dimension`` (sorted, without zero exponents).

    ``annotations`` are the texts in braces, in order; ``amounts`` whether moles occur, also where they cancel;
    ``numbers`` whether the expression has a number of its own that is no power of ten (`24.h`).
    """

    factor: Fraction
    dimension: Dimension
    special: Special | None = None
    annotations: tuple[str, ...] = ()
    amounts: bool = False
    numbers: bool = False


@functools.lru_cache(maxsize=20_000)
def parse(text: str) -> Unit:
    """The unit that a case sensitive UCUM expression means; InvalidUnitError for what is none."""
    if not text:
        return _ONE
    if len(text) > _MAX_LENGTH:
        raise InvalidUnitError(f"longer than {_MAX_LENGTH} characters")
    reader = _Reader(text)
    unit = reader.expression()
    if reader.place < len(text):
        raise InvalidUnitError(f"{text[reader.place]!r} is not expected at {reader.place}")
    return unit


def is_valid(text: str) -> bool:
    """Whether the text is a UCUM expression."""
    try:
        parse(text)
    except InvalidUnitError:
        return False
    return True


_ONE = Unit(Fraction(1), ())
_NUMBER = re.compile(r"[0-9]+")
_ANNOTATION = re.compile(r"\{([\x21-\x7a\x7c\x7e ]*)\}")
# A symbol runs to the next operator; what stands in square brackets belongs to it whatever it is.
_SYMBOL = re.compile(r"(?:\[[^\[\]\s]*\]|10[*^]|[^\[\]\s./(){}0-9+-])+(?:(?<=_)[0-9]+)?")
_EXPONENT = re.compile(r"[+-]?[0-9]+")


class _Reader:
    """A recursive descent over one expression."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0

    def expression(self) -> Unit:
        if self._take("/"):
            return self._term(_power(self._component(), -1))
        return self._term(self._component())

    def _term(self, unit: Unit) -> Unit:
        while self.place < len(self.text) and self.text[self.place] in "./":
            sign = -1 if self.text[self.place] == "/" else 1
            self.place += 1
            unit = _product(unit, _power(self._component(), sign))
        return unit

    def _component(self) -> Unit:
        if self._take("("):
            unit = self.expression()
            if not self._take(")"):
                raise InvalidUnitError(f"a ')' is missing at {self.place}")
            return unit
        if self.place >= len(self.text):
            raise InvalidUnitError(f"a unit is missing at the end, after {self.place} characters")
        annotation = self._annotation()
        if annotation is not None:
            return Unit(Fraction(1), (), annotations=(annotation,))
        unit = self._number() if self._at_number() else self._symbol()
        annotation = self._annotation()
        return unit if annotation is None else replace(unit, annotations=(annotation,))

    def _take(self, sign: str) -> bool:
        if self.text.startswith(sign, self.place):
            self.place += 1
            return True
        return False

    def _annotation(self) -> str | None:
        if not self.text.startswith("{", self.place):
            return None
        found = _ANNOTATION.match(self.text, self.place)
        if found is None:
            raise InvalidUnitError(f"the annotation at {self.place} is not closed, or not ASCII")
        self.place = found.end()
        return found[1]

    def _at_number(self) -> bool:
        return self.text[self.place].isdecimal() and not self.text.startswith(("10*", "10^"), self.place)

    def _number(self) -> Unit:
        found = _NUMBER.match(self.text, self.place)
        if found is None or int(found[0]) == 0:
            raise InvalidUnitError(f"no positive whole number at {self.place}")
        self.place = found.end()
        ten = found[0].rstrip("0") == "1"
        return Unit(Fraction(int(found[0])), (), numbers=not ten)

    def _symbol(self) -> Unit:
        found = _SYMBOL.match(self.text, self.place)
        if found is None:
            raise InvalidUnitError(f"{self.text[self.place]!r} is not expected at {self.place}")
        unit = _simple_unit(found[0])
        if unit is None:
            raise InvalidUnitError(f"{found[0]!r} at {self.place} is no unit of UCUM")
        self.place = found.end()
        exponent = _EXPONENT.match(self.text, self.place)
        if exponent is None:
            return unit
        self.place = exponent.end()
        power = int(exponent[0])
        if abs(power) > _MAX_EXPONENT:
            raise InvalidUnitError(f"the exponent before {self.place} is out of reason")
        return _power(unit, power)


@functools.lru_cache(maxsize=5_000)
def _simple_unit(symbol: str) -> Unit | None:
    """An atom, or a metric atom with a prefix."""
    known = essence()
    atom = known.atoms.get(symbol)
    if atom is not None:
        return _meaning(atom)
    for length in (1, 2):
        prefix = known.prefixes.get(symbol[:length])
        atom = known.atoms.get(symbol[length:])
        if prefix is not None and atom is not None and atom.metric:
            return _prefixed(_meaning(atom), prefix)
    return None


@functools.cache
def _meaning(atom: Atom) -> Unit:
    if atom.base or atom.code in _OWN_BASES:
        return Unit(Fraction(1), ((atom.code, 1),), amounts=atom.code == "mol")
    of = parse(atom.unit)
    if atom.arbitrary and not of.dimension:
        return Unit(Fraction(1), ((atom.code, 1),))
    if atom.function:
        special = Special(atom.function, Fraction(1), of.factor * atom.factor)
        return Unit(Fraction(1), of.dimension, special, amounts=of.amounts)
    return Unit(of.factor * atom.factor, of.dimension, amounts=of.amounts)


def _prefixed(unit: Unit, prefix: Fraction) -> Unit:
    if unit.special is not None:
        return replace(unit, special=replace(unit.special, scale=unit.special.scale * prefix))
    return replace(unit, factor=unit.factor * prefix)


def _power(unit: Unit, exponent: int) -> Unit:
    if exponent == 1:
        return unit
    plain = _as_ratio(unit)
    return replace(
        plain,
        factor=plain.factor**exponent,
        dimension=tuple((base, power * exponent) for base, power in plain.dimension if exponent),
    )


def _product(one: Unit, other: Unit) -> Unit:
    if other == _ONE:
        return one
    one, other = _as_ratio(one), _as_ratio(other)
    powers = dict(one.dimension)
    for base, power in other.dimension:
        powers[base] = powers.get(base, 0) + power
    return Unit(
        one.factor * other.factor,
        tuple(sorted((base, power) for base, power in powers.items() if power)),
        annotations=one.annotations + other.annotations,
        amounts=one.amounts or other.amounts,
        numbers=one.numbers or other.numbers,
    )


def _as_ratio(unit: Unit) -> Unit:
    """A special unit inside a product or power (`Cel/min`) is a base of its own: UCUM 4.2 gives it no meaning there."""
    if unit.special is None:
        return unit
    return replace(unit, factor=unit.special.scale, dimension=((f"~{unit.special}", 1),), special=None)


def commensurable(one: Unit, other: Unit) -> bool:
    """Whether numbers in one unit can be numbers in the other."""
    return one.dimension == other.dimension


def described(units: Iterable[tuple[str, int]]) -> str:
    """A dimension as people read it: `M.L-3`, in base units."""
    return ".".join(base if power == 1 else f"{base}{power}" for base, power in units) or "1"
