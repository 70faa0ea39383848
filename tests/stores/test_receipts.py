"""A receipt tells a partition by its bytes, and knows when it must be read again all the same."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

from schemas.records import Counts, Partition, Receipt
from schemas.staged import StagedUnit
from stores.commit import commit
from stores.receipts import Receipts
from tests.stores.desk import TYPES, Desk, at

SHA = hashlib.sha256(b"content").digest()


def _commit(desk: Desk, time: datetime, given: bool = False, source: str = "s", uri: str = "/a") -> None:
    counts: Mapping[str, Counts] = {"Flag": Counts(5, quarantined=2, suppressed=1)}
    unit = StagedUnit(receipts=[Receipt(Partition(uri, size=7), SHA, 6, time, given, counts)])
    commit(desk.connection, unit, desk.report(source), TYPES)


def test_known_by_content_whatever_the_name(desk: Desk) -> None:
    """Size and hash are what counts; counts by type come back with it."""
    _commit(desk, at(5))
    receipts = Receipts(desk.connection, "s")
    assert receipts.may_know(7)
    assert not receipts.may_know(8)
    known = receipts.find(7, SHA, None)
    assert known is not None
    assert (known.as_of, known.as_of_given, known.resources) == (at(5), False, (("Flag", 5, 2, 1),))
    assert receipts.find(7, hashlib.sha256(b"other").digest(), None) is None


def test_sources_have_receipts_of_their_own(desk: Desk) -> None:
    """What one source sent is new from another."""
    _commit(desk, at(5))
    other = Receipts(desk.connection, "other")
    assert not other.may_know(7)
    assert other.find(7, SHA, None) is None


def test_later_time_is_read_again(desk: Desk) -> None:
    """Only a later time that was told makes a known partition worth reading: its rows were seen later."""
    _commit(desk, at(5), given=True)
    receipts = Receipts(desk.connection, "s")
    assert receipts.find(7, SHA, at(6)) is None
    assert receipts.find(7, SHA, at(5)) is not None
    assert receipts.find(7, SHA, at(4)) is not None


def test_greatest_time_of_several_counts(desk: Desk) -> None:
    """Of a partition taken in more than once the latest time decides, whatever the order of commits."""
    for seconds in (5, 9, 1):
        _commit(desk, at(seconds), given=True, uri=f"/{seconds}")
    receipts = Receipts(desk.connection, "s")
    assert receipts.find(7, SHA, at(8)) is not None
    assert receipts.find(7, SHA, at(10)) is None
