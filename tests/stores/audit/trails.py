"""A trail to try things on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from stores.audit import Phase, Record, Trail, Who
from stores.audit.chain import Chain, Fault, check_checkpoints, read_chain
from stores.audit.checkpoints import Checkpoint
from stores.audit.segments import Segments

WHO = Who("nurse", 1000, "ward", 4711, 1, "clinmart 1")


def trail_at(mart: Path, **more: int) -> Trail:
    """A trail whose records are a second apart."""
    seconds = count()
    return Trail(mart, WHO, clock=lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=next(seconds)), **more)


def fill(mart: Path, number: int, **more: int) -> Trail:
    """A trail with so many records, the first of which begins it."""
    trail = trail_at(mart, **more)
    for n in range(2, number + 1):
        trail.append(Record("status", Phase.EVENT, {"source": f"s{n}"}, why="round"))
    return trail


def chain_of(mart: Path) -> Chain:
    """The trail as it is verified."""
    return read_chain(Segments(mart.with_name(mart.name + ".audit")))


def fault_of(mart: Path, checkpoints: list[Checkpoint | str] | None = None) -> Fault | None:
    """The first fault of a trail, by itself or by checkpoints."""
    chain = chain_of(mart)
    found = [*([chain.fault] if chain.fault else []), *check_checkpoints(chain, checkpoints or [], "copies")]
    return found[0] if found else None
