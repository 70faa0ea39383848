"""Numbers with what belongs to them: NM, SN, NR, CQ and the units of OBX-6."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from transforms.decode.hl7v2.maps.coded import code_text, system_uri
from transforms.decode.hl7v2.maps.parts import Datatype, Parts
from transforms.decode.hl7v2.maps.shape import fields

# A comparator, then a decimal as HL7 v2.9 2A.2.46 has it: sign, digits, point, digits; blanks around it are none of it.
NUMBER = r"^\s*(<=|>=|<|>)?\s*([+-]?)0*([0-9]*)(?:\.([0-9]*))?\s*$"
PLAIN = r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$"  # a number that needs no change
_DIGITS = r"[0-9]"
UNIT_FIELDS = ("unit", "system", "code")


@dataclass(frozen=True, slots=True)
class Number:
    """A number as columns: its comparator (String) and its decimal (String, digits as sent, a JSON number)."""

    comparator: pl.Expr
    decimal: pl.Expr


def number(text: pl.Expr) -> Number:
    """What a text says as a number; both null where it is none.

    The digits stay as sent, trailing zeros too; a plus sign and leading zeros, which JSON forbids, go, and a point has
    digits on both sides.
    """
    found = text.str.extract_groups(NUMBER)
    whole, fraction = found.struct[2], found.struct[3]
    sign = pl.when(found.struct[1] == "-").then(pl.lit("-")).otherwise(pl.lit(""))
    point = pl.when(fraction != "").then("." + fraction).otherwise(pl.lit(""))
    digits = pl.when(whole == "").then(pl.lit("0")).otherwise(whole)
    valid = text.str.contains(NUMBER) & text.str.contains(_DIGITS)
    return Number(pl.when(valid).then(found.struct[0]), pl.when(valid).then(pl.concat_str(sign, digits, point)))


def decimal(digits: pl.Expr) -> dict[str, pl.Expr]:
    """The two fields of a decimal: ``value`` (Float64) and ``#value`` (String), its digits as sent."""
    return {"value": digits.cast(pl.Float64), "#value": digits}


def unit_parts(parts: Parts, first: int = 1, sub: int | None = None) -> dict[str, pl.Expr]:
    """``unit``, ``system`` and ``code`` of a Quantity from a CWE (CWE[Quantity] of the maps); ``sub`` is the component
    whose subcomponents it is.
    """
    code, display, system = (parts(sub, at) if sub else parts(first - 1 + at) for at in (1, 2, 3))
    known = code.is_not_null() & system.is_not_null()
    return {
        "unit": pl.coalesce(display, code),
        "system": pl.when(known).then(system_uri(system)),
        "code": pl.when(known).then(code_text(code)),
    }


def units(parts: Parts) -> pl.Expr:
    """The units of OBX-6 as a Struct of ``unit``, ``system`` and ``code``; null where there are none."""
    made = unit_parts(parts)
    return pl.when(made["unit"].is_not_null()).then(fields(made))


def quantity(digits: pl.Expr, unit: dict[str, pl.Expr], comparator: pl.Expr | None = None) -> pl.Expr:
    """Quantity, null without a number."""
    compared = {} if comparator is None else {"comparator": comparator}
    made = fields(decimal(digits) | compared | unit)
    return pl.when(digits.is_not_null()).then(made)


def cq(first: int = 1) -> Datatype:
    """Quantity of a CQ (HL7 v2.9 2A.2.11): a number and its units."""

    def datatype(parts: Parts) -> pl.Expr:
        said = number(parts(first))
        return quantity(said.decimal, unit_parts(parts, sub=first + 1))

    return datatype


def count(parts: Parts) -> pl.Expr:
    """A positive whole number (Int32), null for anything else."""
    plain = pl.when(parts(1).str.contains(r"^\s*0*[1-9][0-9]{0,8}\s*$")).then(parts(1).str.strip_chars())
    return plain.cast(pl.Int32, strict=False)


def digits(parts: Parts) -> pl.Expr:
    """The digits of an NM (String) as :func:`number` gives them; null for anything else or with a comparator."""
    said = number(parts(1))
    return pl.when(said.comparator.is_null()).then(said.decimal)
