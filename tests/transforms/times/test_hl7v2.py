"""HL7 v2 DTM and TS as columns: what the random tests seldom hit."""

from __future__ import annotations

import pytest

from tests.transforms.times.reference import Meaning, columns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "202",
        "20230",
        "0000",
        "20230017",
        "20230431",
        "2023041724",
        "202304170860",
        "20230417080560",
        "20230417080500.",
        "20230417080500.12345",
        "2023041708.5",
        "20230417080500+1401",
        "20230417080500+0260",
        "20230417080500+02:00",
        "20230417080500Z",
        "20230417T080500",
        "20230417^D",
        "+0100",
        "２０２３",
    ],
)
def test_what_is_no_time(text: str) -> None:
    """It is flagged, alone and beside others, with and without offsets."""
    wrong = Meaning(invalid=True)
    assert columns("hl7v2.ts", [text], "Europe/Berlin") == [wrong]
    mixed = columns("hl7v2.ts", ["20230417080500", text, "20230417080500.1-0500", None], "Europe/Berlin")
    assert (mixed[1], mixed[3]) == (wrong, Meaning())
    assert [row.precision for row in mixed] == ["second", None, "fraction", None]


@pytest.mark.parametrize(("text", "offset"), [("2023+0100", 60), ("20230417-1400", -840), ("202304-0000", 0)])
def test_dates_keep_their_offset(text: str, offset: int) -> None:
    """They have no instant all the same, and no zone is asked for."""
    (made,) = columns("hl7v2.ts", [text], "Europe/Berlin")
    assert (made.at, made.offset, made.nanos) == (None, offset, None)
    assert made.flags == ({"negative_zero_offset"} if text.endswith("-0000") else set())
