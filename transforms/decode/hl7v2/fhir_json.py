"""Rows made of HL7 v2 messages as FHIR JSON, one resource a line: what ``--to-fhir`` writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec
import polars as pl

from schemas.fhir_types import choices, element
from transforms.decode.hl7v2.maps.rows import FIXED, Made
from transforms.times import hl7v2_times

_MOMENTS = ("date", "dateTime", "instant")
_DIGITS = "#value"  # beside `value`: its digits as sent
_MINUTE, _SECOND = 12, 14  # characters of a DTM up to the minute and up to the second
_WITH_CLOCK = ("minute", "second", "fraction")

Json = dict[str, object]
Written: TypeAlias = Callable[[pl.Series, str | None], dict[str, dict[str, str | None]]]


def fhir_lines(made: Made, zone: str | None) -> Iterator[bytes]:
    """The rows as FHIR R4 JSON (UTF-8, without line end), in their order; nulls and what is empty are left out.

    A time without offset is one of ``zone`` (IANA). FHIR has no hour without minute, and no time of day without offset
    (R4 2.24.0.1): of such a time the date is written. Seconds that were not sent are ``:00``, as the standard allows.
    An instant that is not known to the minute, and a time that is none, are left out. Where no value was sent for a
    required element, that of ``made.assumed`` stands.
    """
    columns = [name for name in made.frame.columns if name not in FIXED]
    yield from resource_lines(made.resource_type, made.frame.select(columns).to_dicts(), made.assumed, zone)


def resource_lines(
    kind: str,
    rows: Sequence[Json],
    assumed: Mapping[str, object],
    zone: str | None,
    written: Written | None = None,
) -> Iterator[bytes]:
    """Resources of one type as :func:`fhir_lines` writes them; their times are the text of a DTM, or what ``written``
    makes a date, a dateTime and an instant of, in a zone.
    """
    texts: set[str] = set()
    for row in rows:
        _find_moments(row, kind, texts)
    moments = (written or _written)(pl.Series(sorted(texts), dtype=pl.String), zone)
    for row in rows:
        resource = _clean(row, kind, moments) or {}
        _assume(resource, kind, assumed)
        yield msgspec.json.encode({"resourceType": kind} | resource)


def _find_moments(value: object, kind: str, found: set[str]) -> None:
    if isinstance(value, list):
        for item in value:
            _find_moments(item, kind, found)
    elif isinstance(value, dict):
        for name, item in value.items():
            if item is not None:
                of = _type_of(kind, name)
                if of in _MOMENTS and isinstance(item, str):
                    found.add(item)
                else:
                    _find_moments(item, of, found)


def _type_of(kind: str, name: str) -> str:
    """The FHIR type of an element; of the sibling of a primitive one (``_birthDate``) that of all elements."""
    if name.startswith("_"):
        return "Element"
    known = element(kind, name)
    return "" if known is None else known.type


def _written(texts: pl.Series, zone: str | None) -> dict[str, dict[str, str | None]]:
    """Each DTM as a date, a dateTime and an instant; None where it cannot be one."""
    if texts.is_empty():
        return {}
    times = hl7v2_times(texts, zone)
    wall = texts.str.replace(r"[-+][0-9]{4}$", "")
    read = pl.DataFrame([wall.alias("wall"), times["precision"], times["offset"], times["invalid"]])
    date = _joined("-", (0, 4), (4, 2), (6, 2))
    clock = _joined(":", (8, 2), (10, 2))
    seconds = pl.col("wall").str.slice(_MINUTE, 2)
    fraction = pl.col("wall").str.slice(_SECOND)
    east = pl.col("offset").abs()
    sign = pl.when(pl.col("offset") < 0).then(pl.lit("-")).otherwise(pl.lit("+"))
    hours, minutes = (part.cast(pl.String).str.zfill(2) for part in (east // 60, east % 60))
    whole = pl.concat_str(
        date,
        pl.lit("T"),
        clock,
        pl.lit(":"),
        pl.when(seconds == "").then(pl.lit("00")).otherwise(seconds),
        fraction,
        sign,
        hours,
        pl.lit(":"),
        minutes,
    )
    good = ~pl.col("invalid") & pl.col("precision").is_not_null()
    timed = good & pl.col("precision").is_in(_WITH_CLOCK) & pl.col("offset").is_not_null()
    instant = pl.when(timed).then(whole)
    made = read.select(
        pl.when(good).then(date).alias("date"),
        pl.coalesce(instant, pl.when(good).then(date)).alias("dateTime"),
        instant.alias("instant"),
    )
    return dict(zip(texts, made.to_dicts(), strict=True))


def _joined(mark: str, *pieces: tuple[int, int]) -> pl.Expr:
    """Pieces of the wall clock's digits, those that are there."""
    parts = [pl.col("wall").str.slice(start, length) for start, length in pieces]
    return pl.concat_str(*(pl.when(part != "").then(part) for part in parts), separator=mark, ignore_nulls=True)


def _clean(value: Mapping[str, object], kind: str, moments: dict[str, dict[str, str | None]]) -> Json | None:
    made: Json = {}
    for name, item in value.items():
        if item is None or name == _DIGITS:
            continue
        of = _type_of(kind, name)
        if of in _MOMENTS:
            kept: object = moments[item][of] if isinstance(item, str) else None
        elif name == "value" and isinstance(digits := value.get(_DIGITS), str):
            kept = msgspec.Raw(digits.encode())
        elif isinstance(item, list):
            kept = [k for i in item if (k := _clean(i, of, moments) if isinstance(i, dict) else i) is not None]
        else:
            kept = _clean(item, of, moments) if isinstance(item, dict) else item
        if kept is not None and kept != []:
            made[name] = kept
    return made or None


def _assume(resource: Json, kind: str, assumed: Mapping[str, object]) -> None:
    for path, value in assumed.items():
        known = element(kind, path)
        names = [path]
        if known is not None and known.base is not None:
            names = [choice.name for choice in choices(kind, known.base)]
        if not any(name in resource for name in names):
            resource[path] = value
