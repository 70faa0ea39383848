"""Expressions over fields: repetitions, components and text (HL7 v2.9 2.5.3).

All take and give String expressions, null for empty. Those of one segment belong into one lazy select: what they split,
the optimiser splits once.
"""

from __future__ import annotations

import polars as pl

from transforms.decode.hl7v2.escapes import unescaped
from transforms.decode.hl7v2.separators import Separators

CLEARED = '""'  # HL7 v2.9 2.5.3: the value is to be deleted


def repetitions(field: pl.Expr, sep: Separators) -> pl.Expr:
    """List(String): the repetitions of a field as sent, empty ones null; null for an absent field."""
    if not sep.repetition:
        return pl.when(field.is_not_null()).then(pl.concat_list(field))
    parts = field.str.split(sep.repetition)
    return parts.list.eval(pl.when(pl.element() != "").then(pl.element()))


def first(field: pl.Expr, sep: Separators) -> pl.Expr:
    """The first repetition as sent."""
    return _part(field, sep.repetition, 1)


def component(value: pl.Expr, sep: Separators, number: int, sub: int = 1) -> pl.Expr:
    """A subcomponent of one repetition, unescaped; null for ``""`` too."""
    return text(_part(_part(value, sep.component, number), sep.subcomponent, sub), sep)


def text(value: pl.Expr, sep: Separators) -> pl.Expr:
    """A whole primitive value, unescaped; null for ``""`` too."""
    return unescaped(pl.when(value != CLEARED).then(value), sep)


def cleared(field: pl.Expr) -> pl.Expr:
    """Boolean: the sender asks to clear the field (``""``); false for an absent one."""
    return (field == CLEARED).fill_null(False)


def _part(value: pl.Expr, mark: str, number: int) -> pl.Expr:
    if not mark:
        return value if number == 1 else pl.lit(None, dtype=pl.String)
    found = value.str.split(mark).list.get(number - 1, null_on_oob=True)
    return pl.when(found != "").then(found)
