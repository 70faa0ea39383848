"""One number, one unit: what a load would make of it, exactly, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

from schemas.units.analytes import analytes
from transforms.units.conversion import IncompatibleError
from transforms.units.harmonise import Harmoniser, converted, decided_by_code
from transforms.units.resolve import Resolved, UnitStatus
from transforms.units.ucum import InvalidUnitError, Unit, is_valid, parse

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_DIGITS = 17  # of a double; a longer exact result is shown as the nearest double
_MAX_LENGTH = 60

CONVERTED = "converted"
NOT_A_NUMBER = "not_a_number"
_WHY = {
    UnitStatus.AMBIGUOUS: "has several meanings",
    UnitStatus.NOT_A_UNIT: "is no unit",
    UnitStatus.UNKNOWN: "is not understood",
    UnitStatus.ABSENT: "is missing",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """``value`` and ``unit`` are empty when refused; ``status`` is `converted`, `not_a_number` or a unit's status."""

    value: str
    unit: str
    status: str
    why: str


def meaning(unit: str, loinc: str, harmoniser: Harmoniser) -> tuple[Resolved, str]:
    """What a unit's text means for what is measured, and why nothing is said where that is so."""
    found = harmoniser.meant(unit, loinc)
    if found.ucum:
        return found, ""
    why = ""
    if found.status is UnitStatus.UNKNOWN:
        try:
            parse(unit.strip())
        except InvalidUnitError as error:
            why = f"no UCUM ({error}) and no spelling that is known"
    elif found.candidates:
        why = f"can be {' or '.join(found.candidates)}: a LOINC code may decide"
    return found, why


def convert(value: str, one: str, other: str, loinc: str, harmoniser: Harmoniser) -> Answer:
    """A number in unit ``one`` as a number in ``other`` (empty: the preferred unit of the LOINC code).

    Exact for ratio and interval scales. A unit with a number of its own (`4.s/m`) is good for as many digits as the
    value has.
    """
    number = _number(value)
    if number is None:
        return Answer("", "", NOT_A_NUMBER, "the value is no decimal number")
    start, end = _unit(one, loinc, harmoniser), _unit(other or harmoniser.preferred(loinc), loinc, harmoniser)
    for text, found in ((one, start), (other, end)):
        if not found.ucum:
            why = f"{text.strip()!r} {_WHY[found.status]}" if text.strip() else "a unit is missing"
            return Answer("", "", found.status.value, why)
    analyte = analytes().get(loinc)
    source, target = parse(start.ucum), parse(end.ucum)
    try:
        made = converted(source, target, analyte)
    except IncompatibleError as error:
        decided = decided_by_code(start.ucum, end.ucum, analyte) if loinc and harmoniser.preferred(loinc) else None
        if decided is None:
            return Answer("", "", UnitStatus.INCOMPATIBLE.value, f"{error}{_hint(source, target, loinc)}")
        made = decided
    try:
        result = made.of(number)
        shown = _shown(result, _digits(value) if made.is_linear and (source.numbers or target.numbers) else None)
    except (ValueError, OverflowError):
        return Answer("", "", NOT_A_NUMBER, "the scale has no such number")
    return Answer(shown, end.ucum, CONVERTED, "")


def _unit(text: str, loinc: str, harmoniser: Harmoniser) -> Resolved:
    """A unit named as one: UCUM where the text alone would leave it open."""
    found = harmoniser.meant(text, loinc)
    if found.status is UnitStatus.AMBIGUOUS and is_valid(text.strip()):
        return Resolved(text.strip(), UnitStatus.UCUM)
    return found


def _hint(one: Unit, other: Unit, loinc: str) -> str:
    bases = {base for base, _ in (*one.dimension, *other.dimension)}
    if {"g", "mol"} <= bases and not loinc:
        return "; between mass and amount it takes the LOINC code of the analyte"
    return ""


def _number(value: str) -> Fraction | None:
    text = value.strip()
    return Fraction(text) if len(text) <= _MAX_LENGTH and _NUMBER.fullmatch(text) else None


def _digits(value: str) -> int | None:
    """Significant digits of a number as written with a decimal point; None of a whole one, which is exact."""
    mantissa = value.strip().lower().partition("e")[0]
    return len(mantissa.lstrip("+-0.").replace(".", "")) or None if "." in mantissa else None


def _shown(number: Fraction, digits: int | None) -> str:
    nearest, rest = float(number), number.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    exact = Decimal(number.numerator) / Decimal(number.denominator) if rest == 1 else None
    if exact is None or len(exact.as_tuple().digits) > _DIGITS:
        exact = Decimal(repr(nearest))
    if digits is not None:
        exact = Context(prec=digits, rounding=ROUND_HALF_UP).plus(exact)
    text = f"{exact:f}" if -_DIGITS < exact.adjusted() < _DIGITS else str(exact)
    return text.rstrip("0").rstrip(".") if "." in text and "E" not in text else text
