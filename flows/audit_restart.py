"""Begins a new audit trail in place of one that is broken or gone."""

from __future__ import annotations

from pathlib import Path

from flows.auditing import seal, trail_of
from flows.keyring import mart_at
from schemas.errors import UsageError
from stores.audit.record import known_reason
from stores.lock import loader_lock


def restart(mart: Path, reason: str, *, wait: float = 0.0) -> Path | None:
    """Set the trail aside and begin another; where the old one is now. Raises UsageError, LockedError, StorageError."""
    why = known_reason(reason)
    if why is None:
        raise UsageError("--reason is empty: say in one line why a new audit trail is begun")
    store = mart_at(mart, repairing=True)
    store.must_exist()
    with loader_lock(mart, wait=wait):
        with store.connect(read_only=True, wait=wait) as connection:
            ((commits,),) = connection.execute("SELECT coalesce(max(number), 0) FROM etl.commit").fetchall()
        trail = trail_of(mart)
        aside, _ = trail.restart(why, int(commits))
        seal(trail, mart)
    return aside
