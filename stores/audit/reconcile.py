"""After a crash: what became of the intents that it left open, as the mart tells."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import duckdb

from schemas.errors import IntegrityError
from stores.audit.head import Head, Opened
from stores.audit.record import Phase, Record
from stores.audit.trail import Trail
from stores.audit.versions import EVERY_LOAD, Anchor, stored_versions
from stores.stored import stored_columns

_TAKING_OUT = ("erase", "retain")


def reconcile(trail: Trail, connection: duckdb.DuckDBPyConnection | None, running: Collection[str] = ()) -> str | None:
    """Write the outcomes of intents whose processes are dead; None for a mart that is not there yet.

    ``running``: the loads of this process; of others that it began an outcome could not be written. A commit was made
    when the mart has it, else it was rolled back. Only for the holder of the loader's lock. What the user should know
    is returned: that the mart tells of another trail. Raises IntegrityError when the mart tells of records that the
    trail lacks, else as :meth:`Trail.append`.
    """
    head = trail.head()
    told = None if connection is None else _compare(trail, head, connection)
    dead = {number: one for number, one in head.open.items() if not _lives(trail, one, running)}
    for number, one in sorted(dead.items(), reverse=True):  # the commits of a load before the load
        trail.append(_outcome(head, connection, number, one))
    return told


def _compare(trail: Trail, head: Head, connection: duckdb.DuckDBPyConnection) -> str | None:
    rows = connection.execute(
        "SELECT trail, record, record_hash, number FROM etl.commit WHERE trail IS NOT NULL ORDER BY number DESC LIMIT 1"
    ).fetchall()
    if not rows:
        return None
    ((known, number, made, commit),) = rows
    if known != head.trail:
        return (
            f"the mart's commits up to {commit} are told of by another audit trail than {trail.folder}: put that one "
            "back, or take note of it with clinmart audit restart"
        )
    if number > head.n or (head.commit is not None and head.commit[0] == number and head.commit[1] != made):
        raise IntegrityError(
            f"the mart tells of record {number} of the audit trail {trail.folder}, which has it not or otherwise: run "
            "clinmart audit verify; clinmart audit restart sets the trail aside and begins another"
        )
    return None


def _outcome(head: Head, connection: duckdb.DuckDBPyConnection | None, number: int, one: Opened) -> Record:
    where: dict[str, object] = {"load": one.load} if one.load else {}
    if connection is None:
        return Record(one.action, Phase.OUTCOME, where, outcome="interrupted", re=number)
    if one.action == "commit":
        rows = connection.execute(
            "SELECT number, commit_id, versions FROM etl.commit WHERE trail = ? AND record = ?", [head.trail, number]
        ).fetchall()
        if not rows:
            return Record(one.action, Phase.OUTCOME, where, outcome="rolled back", re=number)
        ((commit, commit_id, versions),) = rows
        detail = {"commit": commit, "commit_id": commit_id, "versions": json.loads(versions or "[]"), "recovered": True}
        return Record(one.action, Phase.OUTCOME, where, outcome="ok", re=number, detail=detail)
    if one.action in _TAKING_OUT:  # what it took out, if it did, is to be missed no more
        left = [anchor.as_dict() for anchor in stored_versions(connection, stored_columns(connection))]
        told = {"anchored": [EVERY_LOAD], "versions": left}
        return Record(one.action, Phase.OUTCOME, where, outcome="interrupted", re=number, detail=told)
    detail = {}
    if one.load and (anchors := anchors_of_parts(connection, one.load)):
        detail = {"versions": [anchor.as_dict() for anchor in anchors]}
    return Record(one.action, Phase.OUTCOME, where, outcome="interrupted", re=number, detail=detail)


def anchors_of_parts(connection: duckdb.DuckDBPyConnection, load: str) -> list[Anchor]:
    """Anchors over all that the mart holds of a load that made several commits, each of which told of a part only."""
    rows = connection.execute("SELECT versions FROM etl.commit WHERE load_id = ?", [load]).fetchall()
    told = Counter((one["type"], one["kind"]) for (text,) in rows for one in json.loads(text or "[]"))
    parted = {key for key, times in told.items() if times > 1}
    if not parted:
        return []
    return [a for a in stored_versions(connection, stored_columns(connection), [load]) if (a.type, a.kind) in parted]


def _lives(trail: Trail, one: Opened, running: Collection[str]) -> bool:
    """Whether the process of an intent is still there. Of one on another host only its own host can tell: then it is
    dead if it was a loader, for its lock is ours now.
    """
    if one.host != trail.who.host:
        return one.load is None
    if one.pid == os.getpid():
        return one.started == trail.who.started and (one.load is None or one.load in running)
    return started_at(one.pid) == one.started


def started_at(pid: int) -> int:
    """When a process began, in clock ticks since the system did; -1: it is not there, 0: that cannot be told."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return int(stat.read_text().rpartition(")")[2].split()[19])
    except FileNotFoundError:
        return -1 if Path("/proc/self/stat").exists() else 0
    except (OSError, ValueError, IndexError):
        return 0
