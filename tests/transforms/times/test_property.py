"""All formats against a scalar reference, on random, odd and broken texts, as columns of any order and mixture."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.zones import wall_clock
from tests.transforms.times.reference import columns, meaning

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour of summer time
    "Asia/Kolkata",
    "Pacific/Apia",  # had no 30 December 2011
    "Africa/Monrovia",  # -0:44:30 until 1972
    "Europe/Dublin",  # whose winter time is the exception
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "Pacific/Kiritimati",
    "Etc/GMT+12",
)
KINDS = ("fhir.date", "fhir.dateTime", "fhir.instant", "fhir.time", "hl7v2.ts", "local")
EPOCH = datetime(1970, 1, 1)
TURNS = [  # local times at which the clocks of these zones change
    EPOCH + timedelta(microseconds=micros)
    for zone in ZONES
    for micros in wall_clock(zone).begins.to_list()[1:]
    if 1800 < 1970 + micros / 31_556_952e6 < 2100
]
MOMENTS = st.one_of(
    st.datetimes(),
    st.datetimes(datetime(1880, 1, 1), datetime(2120, 1, 1)),
    st.builds(
        lambda turn, seconds: turn + timedelta(seconds=seconds), st.sampled_from(TURNS), st.integers(-7300, 7300)
    ),
    st.sampled_from([datetime(1, 1, 1), datetime(1, 1, 1, 13, 59, 59), datetime(9999, 12, 31, 23, 59, 59)]),
    st.sampled_from([datetime(2011, 12, 30, 12), datetime(2016, 12, 31, 23, 59), datetime(1582, 10, 10)]),
)
ENDS = ("", "Z", "+00:00", "-00:00", "+05:30", "-03:30", "+14:00", "-14:00", "+13:59", "+14:01", "-12:60", "+0200", "z")


def _fhir(moment: datetime, length: int, second: str, digits: str, end: str) -> str:
    text = f"{moment:%Y}".zfill(4) + f"{moment:-%m-%dT%H:%M}" + f":{second}" + (f".{digits}" if digits else "") + end
    return text if length > 10 else text[:length]


def _hl7(moment: datetime, length: int, second: str, digits: str, end: str) -> str:
    text = f"{moment:%Y}".zfill(4) + f"{moment:%m%d%H%M}" + second
    return text[:length] + (f".{digits}" if digits else "") + end.replace(":", "")


def _local(moment: datetime, length: int, second: str, digits: str, between: str) -> str:
    text = f"{moment:%Y}".zfill(4) + f"{moment:-%m-%d}{between}{moment:%H:%M}:{second}"
    return text[:length] + (f".{digits}" if digits else "")


SECOND = st.integers(0, 59).map("{:02d}".format) | st.sampled_from(["60", "59", "61"])
DIGITS = st.just("") | st.text("0123456789", min_size=1, max_size=12)
TEXTS = {
    "fhir": st.builds(_fhir, MOMENTS, st.sampled_from([4, 7, 10, 99, 99, 99]), SECOND, DIGITS, st.sampled_from(ENDS)),
    "hl7v2": st.builds(
        _hl7, MOMENTS, st.sampled_from([4, 6, 7, 8, 10, 12, 14]), SECOND, DIGITS | st.text("09", max_size=4),
        st.sampled_from(ENDS[:10]),
    ),
    "local": st.builds(_local, MOMENTS, st.sampled_from([10, 16, 19]), SECOND, DIGITS, st.sampled_from("T _")),
}  # fmt: skip
NOISE = st.text("0123456789-:TZ+. ", max_size=26) | st.sampled_from(["", "2023-02-29", "20230229", "0000", "２０２３"])


def texts_of(kind: str) -> st.SearchStrategy[str | None]:
    """Texts of a kind, most of them valid."""
    own = TEXTS[kind.partition(".")[0]]
    if kind == "fhir.date":
        own = own.map(lambda text: text[:10])
    if kind == "fhir.time":
        own = own.map(lambda text: text[11:].rstrip("Zz"))
    return st.one_of(own, own, own, own, NOISE, st.none())


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=150)
@given(st.data())
def test_columns_say_what_the_reference_says(kind: str, data: st.DataObject) -> None:
    """Validity, instant, date, precision, offset, fraction and flags of every row, with a zone for each."""
    texts = data.draw(st.lists(texts_of(kind), min_size=1, max_size=12))
    zones = [data.draw(st.sampled_from([*ZONES, None])) for _ in texts]
    expected = [meaning(kind, text, zone) for text, zone in zip(texts, zones, strict=True)]
    assert columns(kind, texts, zones) == expected


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=60)
@given(st.data())
def test_the_order_of_rows_changes_no_row(kind: str, data: st.DataObject) -> None:
    """Nor do neighbours, repetition, or whether the zone is said once or for each row."""
    texts = data.draw(st.lists(texts_of(kind), min_size=1, max_size=10))
    zone = data.draw(st.sampled_from([*ZONES, None]))
    order = data.draw(st.permutations([*range(len(texts)), *range(len(texts))]))
    alone = [columns(kind, [text], zone)[0] for text in texts]
    assert columns(kind, texts, zone) == alone
    assert columns(kind, [texts[n] for n in order], zone) == [alone[n] for n in order]
    assert columns(kind, texts, [zone] * len(texts)) == alone


@pytest.mark.parametrize("zone", ZONES)
def test_every_turn_of_the_clocks(zone: str) -> None:
    """Second by second around each change, from the first to the year 9999, in one column."""
    clock = wall_clock(zone)
    draw = random.Random(7)
    edges = [EPOCH + timedelta(microseconds=micros) for micros in clock.begins.to_list()[1:]]
    walls = [edge + timedelta(seconds=seconds) for edge in edges for seconds in (-3600, -1, 0, 1, 1799)]
    walls += [datetime(draw.randint(1, 9999), draw.randint(1, 12), draw.randint(1, 28), 2, 30) for _ in range(2000)]
    texts: list[str | None] = [_hl7(wall, 14, f"{wall:%S}", "", "") for wall in walls]
    assert columns("hl7v2.ts", texts, zone) == [meaning("hl7v2.ts", text, zone) for text in texts]
