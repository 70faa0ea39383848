"""The FHIR cases of the shared time suite, in one column per type as the loader parses them."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from transforms.times import fhir_times

pytestmark = pytest.mark.conformance

SHARED = Path(os.environ.get("CLINMART_SHARED", Path(__file__).parents[3] / "shared"))
FILE = SHARED / "data" / "time" / "time_cases_dev.jsonl"
KINDS = ("date", "dateTime", "instant")
CASES: list[dict[str, Any]] = (
    [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()] if FILE.exists() else []
)


def test_the_cases_are_there() -> None:
    """Without the suite nothing is shown; say so."""
    if not CASES:
        pytest.skip(f"SKIPPED LOUDLY: no time cases in {FILE}; set CLINMART_SHARED")
    assert {f"fhir.{kind}" for kind in KINDS} <= {case["kind"] for case in CASES}


@pytest.mark.parametrize("kind", KINDS)
def test_all_cases_of_a_type_as_one_column(kind: str) -> None:
    """Validity, instant in UTC, precision and offset of every case."""
    cases = [case for case in CASES if case["kind"] == f"fhir.{kind}"]
    if not cases:
        pytest.skip(f"SKIPPED LOUDLY: no time cases in {FILE}; set CLINMART_SHARED")
    made = fhir_times(pl.Series([case["input"] for case in cases]), kind).to_dicts()
    for case, row in zip(cases, made, strict=True):
        assert row["invalid"] is not case["valid"], case["id"]
        assert row["offset"] == case["expected_offset_minutes"], case["id"]
        if case["valid"]:
            assert row["precision"] == case["expected_precision"], case["id"]
            assert row["date"].isoformat()[: len(case["input"])] == case["input"][:10], case["id"]
        assert row["at"] == _instant(case), case["id"]


def _instant(case: dict[str, Any]) -> datetime | None:
    """The expected instant; of nanoseconds, the alternative that is cut to microseconds."""
    texts = [case["expected_utc"], *case["accept_alt"]]
    return None if texts[0] is None else datetime.fromisoformat(min(texts, key=len))
