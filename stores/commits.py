"""A mart's commits, in the mart and in the tail beside it: whether any is lost, and what was decided about it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import duckdb

from schemas.errors import IntegrityError
from schemas.records import LoadReport
from stores.audit.trail import Written
from stores.audit.versions import Anchor
from stores.ddl import MART_VERSION
from stores.identity import mart_id, mart_version
from stores.tail import KEPT, Committed, Entry, Settled, Tail, TailReceipt, raw_files

_NAMED = 3  # loads that a message names


@dataclass(frozen=True, slots=True)
class Noted:
    """A commit as the mart knows it."""

    commit_id: str
    number: int
    load_id: str
    source: str
    committed_at: datetime
    options: Mapping[str, str]


def lost_commits(connection: duckdb.DuckDBPyConnection, tail: Tail) -> list[Committed]:
    """The commits that the tail tells of and the mart no longer has, the oldest first.

    A mart is made whole or not at all, so a database that holds none is taken for the mart that was here last.
    """
    entries = tail.read()
    if not entries or (version := mart_version(connection)) not in (None, MART_VERSION):
        return []
    mart = mart_id(connection) if version else _last_told(entries)
    told = [e for e in entries if isinstance(e, Committed) and e.mart_id == mart]
    known = set(_ids(connection, min(commit.number for commit in told))) if version and told else set()
    return [commit for commit in told if commit.commit_id not in known]


def refuse_loss(connection: duckdb.DuckDBPyConnection, tail: Tail, mart: Path) -> None:
    """IntegrityError when the mart has lost commits."""
    if not (lost := lost_commits(connection, tail)):
        return
    loads = list(Counter(commit.load_id for commit in lost))
    named = ", ".join(loads[:_NAMED]) + (", ..." if len(loads) > _NAMED else "")
    raise IntegrityError(
        f"the mart {mart} has lost {_number(len(lost), 'commit')} of {_number(len(loads), 'load')} ({named}): its log "
        f"is damaged or gone, or an older copy was put back. Run clinmart repair --mart {mart}"
    )


def note_commits(connection: duckdb.DuckDBPyConnection, tail: Tail, *, compact: bool = True) -> None:
    """Note in the tail which commits of the mart it lacks: the newest, and those that a crash kept from it.

    Only for the holder of the loader's lock. Raises StorageError.
    """
    mart, entries = mart_id(connection), tail.read()
    told = {e.commit_id: e.number for e in entries if isinstance(e, Committed) and e.mart_id == mart}
    lacking = [c for c in _commits(connection, min(told.values(), default=0)) if c.commit_id not in told]
    fresh = [_entry(connection, mart, commit) for commit in lacking]
    if fresh:
        tail.append(fresh)
        if compact:
            tail.compact([*entries, *fresh])


def number_commit(
    connection: duckdb.DuckDBPyConnection,
    report: LoadReport,
    now: datetime,
    receipts: int,
    intent: Written | None = None,
    versions: Sequence[Anchor] = (),
) -> tuple[str, int]:
    """Give the commit that is being made a name and the next number, which are returned.

    So the mart tells of the audit record ``intent`` that it stands for, and of the ``versions`` that it brought in.
    """
    ((number,),) = connection.execute("SELECT coalesce(max(number), 0) + 1 FROM etl.commit").fetchall()
    commit_id = uuid4().hex
    _insert(
        connection,
        {
            "commit_id": commit_id,
            "number": number,
            "load_id": report.load_id,
            "source": report.source,
            "committed_at": now,
            "receipts": receipts,
            "options": json.dumps(dict(report.options)),
        }
        | _audited(intent, versions),
    )
    return commit_id, int(number)


def settle(connection: duckdb.DuckDBPyConnection, commits: Sequence[Committed], note: str, now: datetime) -> None:
    """Write into the mart what became of commits that it had lost, so that they are lost no more."""
    for commit in commits:
        values = {
            "commit_id": commit.commit_id,
            "number": commit.number,
            "load_id": commit.load_id,
            "source": commit.source,
            "committed_at": commit.committed_at,
            "receipts": len(commit.files()),
            "options": json.dumps(commit.options),
            "note": note,
            "noted_at": now,
        }
        _insert(connection, values)


def forget(connection: duckdb.DuckDBPyConnection, tail: Tail, commits: Sequence[Committed], now: datetime) -> None:
    """Take note, in mart and tail, that commits are lost for good; loads of which nothing is left get the status lost.

    Raises StorageError.
    """
    if not commits:
        return
    said = "lost, and the loss accepted"
    connection.execute("BEGIN TRANSACTION")
    settle(connection, commits, said, now)
    for commit in commits:
        connection.execute(
            "INSERT INTO etl.load (load_id, source, started_at, status, bytes, seconds, resources) "
            "SELECT ?, ?, ?, 'lost', 0, 0, [] "
            "WHERE NOT EXISTS (FROM etl.load WHERE load_id = ?)",
            [commit.load_id, commit.source, commit.committed_at, commit.load_id],
        )
    connection.execute("COMMIT")
    tail.append([Settled(mart_id(connection), [commit.commit_id for commit in commits], said, now)])


def not_back(connection: duckdb.DuckDBPyConnection, commit: Committed) -> list[TailReceipt]:
    """The partitions of a lost commit that were not committed again since."""
    rows = connection.execute(
        "SELECT size, sha256, max(as_of) FROM etl.receipt WHERE source = ? AND committed_at >= ? GROUP BY ALL",
        [commit.source, commit.committed_at],
    ).fetchall()
    back = {(size, sha256): as_of for size, sha256, as_of in rows}
    return [f for f in commit.files() if (at := back.get((f.size, f.sha256))) is None or at < f.as_of]


def _entry(connection: duckdb.DuckDBPyConnection, mart: str, commit: Noted) -> Committed:
    rows = connection.execute(
        "SELECT uri, range_start, size, sha256, as_of, as_of_given FROM etl.receipt WHERE commit_id = ? ORDER BY ALL",
        [commit.commit_id],
    ).fetchall()
    return Committed(
        mart,
        commit.commit_id,
        commit.number,
        commit.load_id,
        commit.source,
        commit.committed_at,
        dict(commit.options),
        raw_files([TailReceipt(*row) for row in rows]),
    )


def _audited(intent: Written | None, versions: Sequence[Anchor]) -> dict[str, object]:
    if intent is None:
        return {}
    told = json.dumps([one.as_dict() for one in versions])
    return {"trail": intent.trail, "record": intent.number, "record_hash": intent.hash, "versions": told}


def _insert(connection: duckdb.DuckDBPyConnection, values: Mapping[str, object]) -> None:
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    connection.execute(f"INSERT INTO etl.commit ({names}) VALUES ({marks})", list(values.values()))


def _commits(connection: duckdb.DuckDBPyConnection, since: int) -> list[Noted]:
    """The newest commits from number ``since`` on that were made, not settled; the oldest first."""
    rows = connection.execute(
        "SELECT commit_id, number, load_id, source, committed_at, options FROM etl.commit "
        f"WHERE note IS NULL AND number >= ? ORDER BY number DESC LIMIT {KEPT}",
        [since],
    ).fetchall()
    return [
        Noted(name, number, load_id, source, at, json.loads(options or "{}"))
        for name, number, load_id, source, at, options in reversed(rows)
    ]


def _ids(connection: duckdb.DuckDBPyConnection, since: int) -> list[str]:
    """The names of commits from number ``since`` on."""
    rows = connection.execute("SELECT commit_id FROM etl.commit WHERE number >= ?", [since]).fetchall()
    return [commit_id for (commit_id,) in rows]


def _last_told(entries: Sequence[Entry]) -> str:
    return next((e.mart_id for e in reversed(entries) if isinstance(e, Committed)), "")


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"
