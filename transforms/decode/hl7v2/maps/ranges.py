"""OBX-7: the reference range of a result."""

from __future__ import annotations

import polars as pl

from transforms.decode.hl7v2.maps.numbers import quantity, units
from transforms.decode.hl7v2.maps.parts import Parts, whole
from transforms.decode.hl7v2.maps.rows import Rows
from transforms.decode.hl7v2.maps.segment import Segment

# HL7 v2.9 7.4.2.7: "lower limit-upper limit", "> lower limit", "< upper limit"
_DECIMAL = r"-?[0-9]+(?:\.[0-9]+)?"
_BOTH = rf"^\s*({_DECIMAL})\s*-\s*({_DECIMAL})\s*$"
_ABOVE = rf"^\s*>=?\s*({_DECIMAL})\s*$"
_BELOW = rf"^\s*<=?\s*({_DECIMAL})\s*$"


def reference_ranges(rows: Rows, obx: Segment) -> None:
    """`referenceRange` of OBX-7: its text as sent, and its limits, in the units of OBX-6, where it is written as the
    standard has it. A limit that does not itself belong to the range (``<5``) is a limit too: the text tells.
    """
    told = obx.one(7, _range)
    if told is None:
        return
    unit = obx.one(6, units)
    frame = pl.DataFrame([told.alias("told")] + ([] if unit is None else [unit.alias("unit")]))
    low, high, text = (pl.col("told").struct[name] for name in ("low", "high", "text"))
    of = {} if unit is None else {name: pl.col("unit").struct[name] for name in ("unit", "system", "code")}
    made = pl.struct(low=quantity(low, of), high=quantity(high, of), text=text)
    column = frame.select(pl.when(pl.col("told").is_not_null()).then(pl.concat_list(made)))
    rows.put("referenceRange", column.to_series(), obx.cleared(7))


def _range(parts: Parts) -> pl.Expr:
    text = whole(parts)
    low = pl.coalesce(text.str.extract(_BOTH, 1), text.str.extract(_ABOVE, 1))
    high = pl.coalesce(text.str.extract(_BOTH, 2), text.str.extract(_BELOW, 1))
    return pl.when(text.is_not_null()).then(pl.struct(low=_plain(low), high=_plain(high), text=text))


def _plain(digits: pl.Expr) -> pl.Expr:
    """A decimal without leading zeros, which JSON forbids."""
    return digits.str.replace(r"^(-?)0+([0-9])", "${1}${2}")
