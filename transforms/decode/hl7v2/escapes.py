"""Escape sequences in text (HL7 v2.9 2.7)."""

from __future__ import annotations

import polars as pl

from transforms.decode.hl7v2.separators import Separators


def unescaped(value: pl.Expr, sep: Separators) -> pl.Expr:
    """The text with its escape sequences resolved; as it is where ``sep.escape`` is empty."""
    if not sep.escape:
        return value
    e = sep.escape
    known = {"F": sep.field, "S": sep.component, "T": sep.subcomponent, "R": sep.repetition, "E": sep.escape}
    known[".br"] = "\n"
    return value.str.replace_many([f"{e}{code}{e}" for code in known], list(known.values()))
