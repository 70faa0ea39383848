"""Rows of extracts as FHIR JSON, one resource a line: what ``--to-fhir`` writes and the sample looks at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from transforms.decode.extract.rows import Rows
from transforms.decode.hl7v2.fhir_json import resource_lines
from transforms.times import bracketed_times

_CLOCK = r"^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2})(:[0-9]{2}(?:\.[0-9]+)?)?"


def fhir_rows(kind: str, rows: Rows, assumed: Mapping[str, object]) -> Iterator[bytes]:
    """The rows as FHIR R4 JSON (UTF-8, without line end), in their order.

    Of a time of day without offset the date is written, as FHIR has none (R4 2.24.0.1); an instant that is not known to
    the minute is left out. Seconds that were not sent are ``:00``, as the standard allows.
    """
    body = rows.elements.to_dicts() if rows.elements.width else [{} for _ in rows.ids]
    resources = []
    for ident, updated, row in zip(rows.ids, rows.updated, body, strict=True):
        meta = {"meta": {"lastUpdated": updated}} if updated is not None else {}
        resources.append({"id": ident, **meta, **row})
    yield from resource_lines(kind, resources, assumed, None, _written)


def _written(texts: pl.Series, _: str | None) -> dict[str, dict[str, str | None]]:
    """Each time as a date, a dateTime and an instant; None where it cannot be one."""
    if texts.is_empty():
        return {}
    times = bracketed_times(texts)
    frame = times.select("precision", "offset", "invalid", sent=texts)
    groups = pl.col("sent").str.extract_groups(_CLOCK)
    east = pl.col("offset").abs()
    sign = pl.when(pl.col("offset") < 0).then(pl.lit("-")).otherwise(pl.lit("+"))
    hours, minutes = (part.cast(pl.String).str.zfill(2) for part in (east // 60, east % 60))
    seconds = groups.struct[1].fill_null(":00")
    whole = pl.concat_str(groups.struct[0], seconds, sign, hours, pl.lit(":"), minutes)
    good = ~pl.col("invalid")
    timed = good & pl.col("precision").is_in(["minute", "second", "fraction"]) & pl.col("offset").is_not_null()
    date = pl.when(good).then(pl.col("sent").str.head(10))
    instant = pl.when(timed).then(whole)
    made = frame.select(date.alias("date"), pl.coalesce(instant, date).alias("dateTime"), instant.alias("instant"))
    return dict(zip(texts, made.to_dicts(), strict=True))
