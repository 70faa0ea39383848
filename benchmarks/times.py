"""Parse a million times of each kind as columns, against a loop over ``datetime.fromisoformat``.

``python -m benchmarks.times [--values N] [--rounds N]`` prints one table. The loop makes the same four columns
(instant in UTC, date, precision, offset) of each value and is given only values that it can read; it checks no form,
keeps no count of digits and raises no flag. Only the ratios mean anything on another machine.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from typing import TypeVar
from zoneinfo import ZoneInfo

import polars as pl

from transforms.times import fhir_clocks, fhir_times, hl7v2_times, local_times

TARGET = 1.5  # million values a second
ZONE = "Europe/Berlin"
_ZONES = (ZONE, "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")
_PARTIAL = {4: "year", 7: "month", 10: "day"}
_MINUTE = timedelta(minutes=1)
_Given = TypeVar("_Given")
_Row = tuple[datetime | None, date | None, str, int | None]


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the table: texts, what makes columns of them, and what makes a row of each."""

    name: str
    texts: list[str]
    columns: Callable[[pl.Series], pl.DataFrame]
    loop: Callable[[list[str]], list[_Row]]


def cases(values: int) -> list[Case]:
    """The kinds, without equal neighbours, of which each run would be parsed once."""
    draw = random.Random(1)
    moments = [datetime(1990, 1, 1) + timedelta(seconds=draw.randrange(10**9)) for _ in range(values)]
    offsets = [draw.choice(["Z", "+01:00", "+02:00", "-05:00"]) for _ in moments]
    seconds = [moment.isoformat() for moment in moments]
    numeric = [f"{moment:%Y%m%d%H%M%S}" for moment in moments]
    thousandths = [f".{draw.randrange(1000):03d}" for _ in moments]
    zones = [draw.choice(_ZONES) for _ in moments]
    zone_column, infos = pl.Series(zones), [ZoneInfo(zone) for zone in zones]
    sent = [s + o for s, o in zip(seconds, offsets, strict=True)]
    exact = [s + f + o for s, f, o in zip(seconds, thousandths, offsets, strict=True)]
    shifted = [n + o.replace(":", "").replace("Z", "+0000") for n, o in zip(numeric, offsets, strict=True)]
    partial = [s[: draw.choice([4, 7, 10])] if draw.random() < 0.3 else s for s in sent]
    berlin = ZoneInfo(ZONE)

    def iso(numbers: str) -> str:
        """HL7's form as Python reads it."""
        return f"{numbers[:8]}T{numbers[8:]}"

    def each(row: Callable[[str], _Row]) -> Callable[[list[str]], list[_Row]]:
        return lambda texts: [row(text) for text in texts]

    def each_in_its_zone(texts: list[str]) -> list[_Row]:
        return [_in_zone(iso(text), info) for text, info in zip(texts, infos, strict=True)]

    in_berlin = each(lambda t: _in_zone(iso(t), berlin))
    return [
        Case("FHIR date", [s[:10] for s in seconds], lambda t: fhir_times(t, "date"), each(_day)),
        Case("FHIR dateTime", sent, lambda t: fhir_times(t, "dateTime"), each(_instant)),
        Case("FHIR dateTime, 30 % dates", partial, lambda t: fhir_times(t, "dateTime"), each(_instant)),
        Case("FHIR instant, milliseconds", exact, lambda t: fhir_times(t, "instant"), each(_instant)),
        Case("FHIR time", [s[11:] for s in seconds], fhir_clocks, each(_clock)),
        Case("HL7 v2 with offset", shifted, hl7v2_times, each(lambda t: _instant(iso(t)))),
        Case("HL7 v2 in a zone", numeric, lambda t: hl7v2_times(t, ZONE), in_berlin),
        Case("HL7 v2, zone of each row", numeric, lambda t: hl7v2_times(t, zone_column), each_in_its_zone),
        Case("HL7 v2 without zone", numeric, hl7v2_times, each(lambda t: _local(iso(t)))),
        Case("local in a zone", seconds, lambda t: local_times(t, ZONE), each(lambda t: _in_zone(t, berlin))),
        Case("local without zone", seconds, local_times, each(_local)),
    ]


def _day(text: str) -> _Row:
    return None, date.fromisoformat(text), "day", None


def _instant(text: str) -> _Row:
    if len(text) <= 10:
        return None, date.fromisoformat((text + "-01-01")[:10]), _PARTIAL[len(text)], None
    moment = datetime.fromisoformat(text)
    offset = moment.utcoffset()
    assert offset is not None
    precision = "fraction" if text[19:20] == "." else "second"
    return moment.astimezone(UTC), moment.date(), precision, offset // _MINUTE


def _clock(text: str) -> _Row:
    clock.fromisoformat(text)
    return None, None, "fraction" if text[8:9] == "." else "second", None


def _in_zone(text: str, zone: ZoneInfo) -> _Row:
    moment = datetime.fromisoformat(text).replace(tzinfo=zone)
    offset = moment.utcoffset()
    assert offset is not None
    return moment.astimezone(UTC), moment.date(), "second", offset // _MINUTE


def _local(text: str) -> _Row:
    return None, datetime.fromisoformat(text).date(), "second", None


def _seconds(work: Callable[[_Given], object], given: _Given) -> float:
    began = time.perf_counter()
    work(given)
    return time.perf_counter() - began


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--values", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(
        f"{options.values:,} values of a kind, {options.rounds} rounds, the best of them; seconds for a million values"
    )
    print(f"{'':<28} {'columns':>8} {'loop':>8} {'times':>6} {'M/s':>6}")
    slow = []
    for case in cases(options.values):
        text = pl.Series(case.texts)
        million = 1e6 / options.values
        columns, loop = [], []
        for _ in range(options.rounds):
            columns.append(_seconds(case.columns, text) * million)
            loop.append(_seconds(case.loop, case.texts) * million)
        ours, peer = min(columns), min(loop)
        print(f"{case.name:<28} {ours:8.3f} {peer:8.3f} {peer / ours:6.1f} {1 / ours:6.1f}")
        if 1 / ours < TARGET:
            slow.append(case.name)
    print(f"target: at least {TARGET} million values a second" + (f"; missed by {', '.join(slow)}" if slow else ""))


if __name__ == "__main__":
    main()
