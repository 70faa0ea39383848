"""What the clocks of every zone showed, against ``zoneinfo``."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import polars as pl
import pytest

from schemas.zones import CYCLE, wall_clock
from schemas.zones.names import zone_names
from tests.transforms.times.reference import zone_info

EPOCH = datetime(1970, 1, 1)
MICRO = timedelta(microseconds=1)


@pytest.mark.parametrize("letter", sorted({name[:2] for name in zone_names()}))
def test_every_zone_is_that_of_zoneinfo(letter: str) -> None:
    """Around all listed changes, those of the rules until 2040, and in any year from 1 to 9999."""
    draw = random.Random(3)
    for name in sorted(name for name in zone_names() if name.startswith(letter)):
        clock, zone = wall_clock(name), zone_info(name)
        assert clock.begins.is_sorted()
        edges = [EPOCH + MICRO * micros for micros in clock.begins.to_list()[1:] if micros < 70 * 31_556_952 * 10**6]
        walls = [edge + MICRO * step for edge in edges for step in (-1, 0)]
        walls += [datetime(draw.randint(1, 9999), draw.randint(1, 12), draw.randint(1, 28), 2, 15) for _ in range(40)]
        local = pl.Series([(wall - EPOCH) // MICRO for wall in walls])
        repeated = clock.horizon + (local - clock.horizon) % CYCLE
        local = pl.select(pl.when(local >= clock.horizon).then(repeated).otherwise(local)).to_series()
        at = clock.begins.search_sorted(local, side="right") - 1
        found = zip(clock.east.gather(at), clock.gap.gather(at), clock.fold.gather(at), strict=True)
        for wall, (east, gap, fold) in zip(walls, found, strict=True):
            first, second = (wall.replace(tzinfo=zone, fold=turn).utcoffset() for turn in (0, 1))
            assert first is not None
            assert second is not None
            assert (gap, fold) == (first < second, first > second), (name, wall)
            assert east == (None if gap else first.total_seconds()), (name, wall)
