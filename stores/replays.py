"""Quarantined lines on their way out: which ones a replay takes, and what became of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb
import polars as pl

from schemas.arrow import Streamed
from schemas.errors import UsageError
from schemas.reasons import Reason
from schemas.records import VIEW_CHECK, Attempt
from stores.quarantine import STANDING, State, records
from stores.sql import quoted, text

# Bytes around messages are judged with their file, and what is cut short is not all there: they are not run alone.
_OF_FILES = (Reason.NO_MESSAGE, Reason.MESSAGE_CUT, Reason.BATCH_COUNT, Reason.BATCH_NOT_CLOSED)
_WHOLE = f"(octet_length(payload) = payload_bytes AND reason NOT IN ({', '.join(text(r) for r in _OF_FILES)}))"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which quarantined lines: of a reason, refused since, of a source; the oldest so many; those given up too.

    What a rule rejected stays refused, unless that reason is named.
    """

    reason: str | None = None
    since: datetime | None = None
    source: str | None = None
    limit: int | None = None
    dead: bool = False

    @property
    def where(self) -> str:
        """The condition, with the parameters of :meth:`parameters`."""
        states = STANDING if self.dead else f"('{State.OPEN}')"
        return (
            f"state IN {states} AND coalesce(reason = $reason, reason <> {text(Reason.REJECTED_BY_RULE)}) "
            "AND ($since IS NULL OR quarantined_at >= $since) AND ($source IS NULL OR source = $source)"
        )

    @property
    def parameters(self) -> dict[str, object]:
        """What the condition is asked with."""
        return {"reason": self.reason, "since": self.since, "source": self.source}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A quarantined line with all that is needed to run it again."""

    quarantine_id: str
    uri: str
    line: int
    byte_offset: int
    reason: str
    view: str | None  # the view that alone refused it
    payload: bytes
    resolved: str | None
    as_of: datetime
    attempts: int


def chosen(connection: duckdb.DuckDBPyConnection, selection: Selection) -> dict[str, list[tuple[str, int]]]:
    """The lines that a replay can take, by source, oldest first: their names and sizes in bytes."""
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    rows = connection.execute(
        f"SELECT source, quarantine_id, any_value(payload_bytes) FROM etl.quarantine WHERE {selection.where} "
        f"AND {_WHOLE} GROUP BY 1, 2 ORDER BY min(quarantined_at), min(uri), min(line), 2 LIMIT $limit",
        selection.parameters | {"limit": selection.limit if selection.limit is not None else 1 << 62},
    ).fetchall()
    for source, name, size in rows:
        found[source].append((name, size))
    return dict(found)


def cut_short(connection: duckdb.DuckDBPyConnection, selection: Selection) -> int:
    """How many lines no replay can take: too long to keep whole, or bytes that only their file makes sense of."""
    query = f"SELECT count(*) FROM etl.quarantine WHERE {selection.where} AND NOT {_WHOLE}"
    row = connection.execute(query, selection.parameters).fetchone()
    return 0 if row is None else int(row[0])


def lines(connection: duckdb.DuckDBPyConnection, names: Sequence[str]) -> list[Waiting]:
    """The lines of these names that still stand, in the order of the names.

    Their time is the greatest at which they were seen. Marts of versions that did not keep it have it in the receipts
    of the file.
    """
    rows = connection.execute(
        "SELECT q.quarantine_id, q.uri, q.line, q.byte_offset, q.reason, q.check_name, q.payload, q.resolved, "
        "coalesce(q.as_of, (SELECT max(r.as_of) FROM etl.receipt r WHERE r.source = q.source AND r.uri = q.uri), "
        "(SELECT max(l.as_of) FROM etl.load l WHERE l.load_id = q.load_id), q.quarantined_at), coalesce(q.attempts, 0) "
        f"FROM etl.quarantine q SEMI JOIN (SELECT unnest(?) AS quarantine_id) n USING (quarantine_id) "
        f"WHERE q.state IN {STANDING}",
        [list(names)],
    ).fetchall()
    by_name = {row[0]: row for row in rows}
    return [_waiting(*by_name[name]) for name in names if name in by_name]


def settle(connection: duckdb.DuckDBPyConnection, attempts: Sequence[Attempt], load_id: str, now: datetime) -> None:
    """Write what a replay made of quarantined lines; inside a transaction."""
    if not attempts:
        return
    frame = pl.DataFrame(
        [
            (a.quarantine_id, str(a.state), a.attempts, a.reason, a.column_name, a.check_name, a.message)
            for a in attempts
        ],
        schema=dict.fromkeys(_ATTEMPT, pl.String) | {"attempts": pl.Int64},
        orient="row",
    )
    passed = f"a.state = '{State.REPLAYED}'"
    kept = ", ".join(f"{quoted(c)} = CASE WHEN {passed} THEN q.{c} ELSE a.{c} END" for c in _ATTEMPT[3:])
    connection.register("~attempts", Streamed(frame))
    try:
        connection.execute(
            f"UPDATE etl.quarantine q SET state = a.state, attempts = a.attempts, last_attempt_at = $now, {kept}, "
            f"settled_by = CASE WHEN {passed} THEN $load END, settled_at = CASE WHEN {passed} THEN $now END "
            'FROM "~attempts" a WHERE q.quarantine_id = a.quarantine_id',
            {"now": now, "load": load_id},
        )
    finally:
        connection.unregister("~attempts")


def replaceable(connection: duckdb.DuckDBPyConnection, quarantine_id: str, source: str) -> str:
    """The whole name of the one line of a source that this begins, which a corrected line may replace.

    Raises UsageError when there is none, or when the line as it was sent has been taken in.
    """
    found = records(
        connection.execute(
            "SELECT DISTINCT quarantine_id, source, state FROM etl.quarantine WHERE starts_with(quarantine_id, ?) "
            "LIMIT 2",
            [quarantine_id],
        )
    )
    if len(found) != 1 or not quarantine_id:
        raise UsageError(
            f"--replaces {quarantine_id!r} names no refused line, or several: see clinmart quarantine list"
        )
    (line,) = found
    if line["source"] != source:
        raise UsageError(
            f"the refused line {quarantine_id!r} came from {line['source']!r}: give --source {line['source']}"
        )
    if line["state"] == State.REPLAYED:
        raise UsageError(f"the refused line {quarantine_id!r} was taken in by a replay: load without --replaces")
    return str(line["quarantine_id"])


def replace_line(connection: duckdb.DuckDBPyConnection, quarantine_id: str, load_id: str, now: datetime) -> None:
    """Settle a line that stands by the load of a corrected one; nothing when it is settled already."""
    connection.execute(
        f"UPDATE etl.quarantine SET state = '{State.REPLACED}', settled_by = ?, settled_at = ? "
        f"WHERE quarantine_id = ? AND state IN {STANDING}",
        [load_id, now, quarantine_id],
    )


def _waiting(
    name: str,
    uri: str,
    line: int,
    offset: int,
    reason: str,
    check_name: str | None,
    payload: bytes,
    resolved: str | None,
    as_of: datetime,
    attempts: int,
) -> Waiting:
    check = check_name or ""
    view = check.removeprefix(VIEW_CHECK) if check.startswith(VIEW_CHECK) else None
    return Waiting(name, uri, line, offset, reason, view, bytes(payload), resolved, as_of, attempts)


_ATTEMPT = ("quarantine_id", "state", "attempts", "reason", "column_name", "check_name", "message")
