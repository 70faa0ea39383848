"""Beginnings of US ZIP codes whose areas have 20,000 people or fewer (45 CFR 164.514(b)(2)(i)(B))."""

from __future__ import annotations

import csv
import functools
from pathlib import Path


@functools.cache
def restricted() -> frozenset[str]:
    """The three digits that must become `000`: those that any census of ``zip3_restricted.csv`` restricts.

    HHS names 17 by the census of 2000 and asks for newer ones where there are. To restrict by both censuses is never
    less than either asks.
    """
    with Path(__file__).with_name("zip3_restricted.csv").open(encoding="utf-8", newline="") as file:
        return frozenset(row["zip3"] for row in csv.DictReader(file))
