"""FHIR `time` as columns."""

from __future__ import annotations

import polars as pl

from transforms.times import fhir_clocks


def test_nothing() -> None:
    """No rows and no texts."""
    assert fhir_clocks(pl.Series([], dtype=pl.String)).height == 0
    nulls = fhir_clocks(pl.Series([None, None], dtype=pl.String))
    assert nulls.rows() == [(None, False, None, 0)] * 2
    assert nulls.schema == fhir_clocks(pl.Series(["08:05:00.5"])).schema


def test_beside_each_other() -> None:
    """Good, bad, missing and odd ones in one column."""
    made = fhir_clocks(pl.Series(["08:05:00", "24:00:00", None, "23:59:60.25", "08:05"]))
    assert made.rows() == [
        ("second", False, None, 0),
        (None, True, None, 0),
        (None, False, None, 0),
        ("fraction", False, 2, 1),
        (None, True, None, 0),
    ]
