"""What the headers of many messages say, before anything else of them is read (HL7 v2.9 2.14.9)."""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from schemas.records import UNKNOWN_TYPE
from transforms.decode.hl7v2.separators import Separators, separators_of

_SHORTEST = 8  # MSH, the field separator and four delimiters
_TYPE_FIELD = 9  # MSH-9
# What a type looks like (HL7 v2.9 2.14.9.9): anything else may be what stood in a field that was shifted.
_TYPE = r"^[A-Z][A-Z0-9]{2}(?:_[A-Z][A-Z0-9]{2})?$"
_HEADER = r"^([^\r]*)"


def headers_of(texts: pl.Series) -> tuple[pl.DataFrame, list[Separators]]:
    """Of each text (String, null where there is none) ``separators`` (UInt32), which of the returned ones are its own,
    null where they cannot be told; and ``type`` (String) of those that have some, else ``Unknown``.
    """
    header = pl.col("header")
    mark = header.str.slice(3, 1)
    fields = header.str.splitn(mark, _TYPE_FIELD + 1).struct
    read = (
        pl.DataFrame([texts.str.extract(_HEADER).alias("header")])
        .lazy()
        .select(
            pl.when(header.str.len_chars() >= _SHORTEST).then(mark).alias("field"),
            fields["field_1"].alias("encoding"),
            fields[f"field_{_TYPE_FIELD - 1}"].fill_null("").alias("kind"),
        )
        .collect()
    )
    written = read.select("field", "encoding").unique(maintain_order=True).drop_nulls("field")
    found = [separators_of(field, encoding or "") for field, encoding in written.iter_rows()]
    known = list(dict.fromkeys(one for one in found if one is not None))  # MSH-2 has several ways to write the same
    places = {one: place for place, one in enumerate(known)}
    marks = written.with_columns(
        pl.Series("component", [one and one.component for one in found], dtype=pl.String),
        pl.Series("separators", [one and places[one] for one in found], dtype=pl.UInt32),
    )
    told = read.join(marks, on=["field", "encoding"], how="left", maintain_order="left")
    parts = pl.col("kind").str.split(pl.col("component")).list
    first, second = (parts.get(at, null_on_oob=True).replace("", None) for at in (0, 1))
    named = pl.concat_str(first, second, separator="_", ignore_nulls=True)
    named = pl.when(named.str.contains(_TYPE)).then(named).otherwise(pl.lit(UNKNOWN_TYPE))
    return told.select("separators", named.alias("type")), known


def type_of(parts: Sequence[str]) -> str:
    """The type of a message by the components of its MSH-9."""
    told = "_".join(part for part in parts[:2] if part)
    return told if re.search(_TYPE, told) else UNKNOWN_TYPE
