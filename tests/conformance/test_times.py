"""The shared time suite, each kind as one column."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from transforms.times import fhir_clocks, fhir_times, hl7v2_times, local_times, raised

pytestmark = pytest.mark.conformance

SHARED = Path(os.environ.get("CLINMART_SHARED", Path(__file__).parents[3] / "shared"))
FILE = SHARED / "data" / "time" / "time_cases_dev.jsonl"
KINDS = ("fhir.date", "fhir.dateTime", "fhir.instant", "fhir.time", "hl7v2.ts", "local")
CASES: list[dict[str, Any]] = (
    [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()] if FILE.exists() else []
)


def test_the_cases_are_there() -> None:
    """Without the suite nothing is shown; say so."""
    if not CASES:
        pytest.skip(f"SKIPPED LOUDLY: no time cases in {FILE}; set CLINMART_SHARED")
    assert {case["kind"] for case in CASES} == set(KINDS)
    assert len(CASES) >= 90


@pytest.mark.parametrize("kind", KINDS)
def test_all_cases_of_a_kind_as_one_column(kind: str) -> None:
    """Validity, instant in UTC, precision, digits of the fraction, offset and flags of every case."""
    cases = [case for case in CASES if case["kind"] == kind]
    if not cases:
        pytest.skip(f"SKIPPED LOUDLY: no time cases in {FILE}; set CLINMART_SHARED")
    made = columns(kind, cases)
    flags: list[set[str]] = [set() for _ in cases]
    for note, rows in raised(made["flags"]):
        for row in rows.arg_true():
            flags[row].add(str(note))
    for case, row, raised_here in zip(cases, made.to_dicts(), flags, strict=True):
        assert row["invalid"] is not case["valid"], case["id"]
        assert row["precision"] == case["expected_precision"], case["id"]
        assert row["fraction_digits"] == case["fraction_digits"], case["id"]
        assert row.get("offset") == case["expected_offset_minutes"], case["id"]
        assert raised_here == set(case["flags"]), case["id"]
        assert row.get("at") in _instants(case), case["id"]
        if case["valid"] and kind.startswith("fhir.date"):
            assert row["date"].isoformat()[: len(case["input"])] == case["input"][:10], case["id"]


def columns(kind: str, cases: Iterable[dict[str, Any]]) -> pl.DataFrame:
    """The cases of a kind through the column expressions, each with its own zone."""
    text = pl.Series([case["input"] for case in cases], dtype=pl.String)
    zone = pl.Series([case["default_zone"] for case in cases], dtype=pl.String)
    match kind:
        case "fhir.time":
            return fhir_clocks(text)
        case "hl7v2.ts":
            return hl7v2_times(text, zone)
        case "local":
            return local_times(text, zone)
    return fhir_times(text, kind.removeprefix("fhir."))


def _instants(case: dict[str, Any]) -> list[datetime | None]:
    """The expected instant, cut to microseconds. A time in a gap must have none: that is what we chose of the two."""
    text = case["expected_utc"]
    return [None if text is None else datetime.fromisoformat(text).astimezone(UTC)]
