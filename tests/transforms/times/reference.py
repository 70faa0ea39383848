"""What a single text means, in plain Python: the regular expressions of the standard, ``datetime`` and ``zoneinfo``.

Nothing here is shared with the columns, so that both are wrong in the same way only by accident.
"""

from __future__ import annotations

import importlib.resources
import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from transforms.times import fhir_clocks, fhir_times, hl7v2_times, local_times, raised

# FHIR R4 2.24.0.1, as printed there.
_R4_YEAR = "([0-9]([0-9]([0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)"
_R4_DAY = "(-(0[1-9]|1[0-2])(-(0[1-9]|[1-2][0-9]|3[0-1])"
_R4_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?"
_R4_ZONE = r"(Z|(\+|-)((0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_FORMS = {
    "fhir.date": f"{_R4_YEAR}{_R4_DAY})?)?",
    "fhir.dateTime": f"{_R4_YEAR}{_R4_DAY}(T{_R4_CLOCK}{_R4_ZONE})?)?)?",
    "fhir.instant": f"{_R4_YEAR}{_R4_DAY}T{_R4_CLOCK}{_R4_ZONE}))",
    "fhir.time": _R4_CLOCK,
    "hl7v2.ts": r"\d{4}(\d\d(\d\d(\d\d(\d\d(\d\d(\.\d{1,4})?)?)?)?)?)?([+-]\d{4})?",
    "local": r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?",
}
_PARTS = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?)?)?)?(Z|[+-]\d\d:\d\d)?", re.ASCII
)
_HL7_PARTS = re.compile(r"(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:\.(\d+))?([+-]\d{4})?", re.ASCII)
_NAMES = ("year", "month", "day", "hour", "minute", "second", "fraction")
_MICRO = timedelta(microseconds=1)


@dataclass
class Meaning:
    """The columns of one row, instants as microseconds of Unix time."""

    invalid: bool = False
    at: int | None = None
    date: date | None = None
    precision: str | None = None
    offset: int | None = None
    nanos: int | None = None
    fraction_digits: int | None = None
    flags: set[str] = field(default_factory=set)


@cache
def zone_info(name: str) -> ZoneInfo:
    """The zone in the `tzdata` package; the operating system may have another edition."""
    with importlib.resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def meaning(kind: str, text: str | None, zone: str | None = None) -> Meaning:
    """What a text of a kind (as the time cases call it) means."""
    if text is None:
        return Meaning()
    if re.fullmatch(_FORMS[kind], text, re.ASCII) is None:
        return Meaning(invalid=True)
    if kind == "fhir.time":
        _, _, digits = text.partition(".")
        flags = {"leap_second"} if text[6:8] == "60" else set()
        precision, many = ("fraction", len(digits)) if digits else ("second", None)
        return Meaning(precision=precision, fraction_digits=many, flags=flags)
    parts = (_HL7_PARTS if kind == "hl7v2.ts" else _PARTS).fullmatch(text)
    assert parts is not None
    try:
        return _meaning(kind, parts.groups(), zone)
    except ValueError:
        return Meaning(invalid=True)


def _meaning(kind: str, parts: tuple[str | None, ...], zone: str | None) -> Meaning:
    *written, sent = parts
    made = Meaning(precision=_NAMES[sum(part is not None for part in written) - 1])
    year, month, day, hour, minute, second = (int(part) if part else None for part in written[:6])
    made.date = date(year or 0, 1 if month is None else month, 1 if day is None else day)
    if sent is not None:
        made.offset = _offset(sent, made.flags)
    if hour is None:
        return made
    if second == 60 and kind != "hl7v2.ts":
        made.flags.add("leap_second")
        second = 59
    wall = datetime(made.date.year, made.date.month, made.date.day, hour, minute or 0, second or 0)
    digits = written[6] or ""
    made.fraction_digits = min(len(digits), 127) or None
    made.nanos = int(digits.ljust(9, "0")[6:9])
    east = None if made.offset is None else timedelta(minutes=made.offset)
    if east is None:
        east = _of_zone(wall, zone, made)
    if east is not None:
        micros = (wall - datetime(1970, 1, 1) - east) // _MICRO + int(digits.ljust(6, "0")[:6])
        made.at = micros + 1_000_000 * ("leap_second" in made.flags)
        if not _micros(datetime.min) <= made.at <= _micros(datetime.max):
            made.at = None
            made.flags.add("utc_out_of_range")
    return made


def _micros(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1)) // _MICRO


def _offset(sent: str, flags: set[str]) -> int:
    if sent == "Z":
        return 0
    hours, minutes = int(sent[1:3]), int(sent[-2:])
    if minutes > 59 or hours * 60 + minutes > 14 * 60:
        raise ValueError
    if sent[0] == "-" and not hours and not minutes:
        flags.add("negative_zero_offset")
    return (hours * 60 + minutes) * (-1 if sent[0] == "-" else 1)


def _of_zone(wall: datetime, zone: str | None, made: Meaning) -> timedelta | None:
    if zone is None:
        made.flags.add("no_offset_no_zone")
        return None
    made.flags.add("offset_from_zone")
    first, second = (wall.replace(tzinfo=zone_info(zone), fold=fold).utcoffset() for fold in (0, 1))
    assert first is not None
    assert second is not None
    if first < second:
        made.flags.add("nonexistent_local_time")
        return None
    if first > second:
        made.flags.add("ambiguous_local_time")
    made.offset = int(first.total_seconds() / 60)
    return first


def columns(kind: str, texts: list[str | None], zones: list[str | None] | str | None = None) -> list[Meaning]:
    """The same from the column expressions; ``zones`` is one for all rows or one for each."""
    text = pl.Series(texts, dtype=pl.String)
    zone = pl.Series(zones, dtype=pl.String) if isinstance(zones, list) else zones
    if kind == "fhir.time":
        frame = fhir_clocks(text)
    elif kind.startswith("fhir."):
        frame = fhir_times(text, kind.removeprefix("fhir."))
    else:
        frame = (hl7v2_times if kind == "hl7v2.ts" else local_times)(text, zone)
    flags: list[set[str]] = [set() for _ in texts]
    for note, rows in raised(frame["flags"]):
        for row in rows.arg_true():
            flags[row].add(str(note))
    if "at" in frame.columns:
        frame = frame.with_columns(pl.col("at").cast(pl.Int64))
    assert frame["invalid"].null_count() == frame["flags"].null_count() == 0
    rows_: list[dict[str, Any]] = frame.drop("flags").to_dicts()
    return [Meaning(**row, flags=flags[number]) for number, row in enumerate(rows_)]
