"""What of a mart is older than its class of data is kept, but for what is held."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import duckdb

from schemas.retention import DataClass, HeldBy, Since
from schemas.suppression import PERSON, token
from stores.people import Person
from stores.rewrite import Change, Place, choosing, rows_without
from stores.sql import STORED, STORED_HISTORY, STORED_PATCH, quoted, text
from stores.stored import stored_columns
from stores.views import views_of

_OWNED = "patient_id"
_LOGS = ("validation", "unread", "alias", "unmapped")
_GONE = '"~old"'


@dataclass(slots=True)
class Kept:
    """What is held: whole classes, whole sources, and these people (source and id)."""

    classes: set[DataClass] = field(default_factory=set)
    everything: bool = False
    sources: set[str] = field(default_factory=set)
    of_class: set[tuple[DataClass, str]] = field(default_factory=set)  # class and source
    people: set[Person] = field(default_factory=set)
    unknown: int = 0  # holds of patients that the mart does not know


def kept_by(connection: duckdb.DuckDBPyConnection, holds: Sequence[HeldBy], keys: Sequence[bytes]) -> Kept:
    """What holds keep. A patient is found by the token that the mart's ``keys`` make of every one that it knows."""
    kept = Kept()
    by_token: dict[bytes, Person] = {}
    if any(hold.token is not None for hold in holds):
        for person in _people(connection):
            for key in keys:
                by_token[token(key, person[0], PERSON, person[1])] = person
    for hold in holds:
        if hold.token is not None:
            held = by_token.get(hold.token)
            kept.people |= {held} if held else set()
            kept.unknown += held is None
        elif hold.data_class and hold.source:
            kept.of_class.add((hold.data_class, hold.source))
        elif hold.data_class:
            kept.classes.add(hold.data_class)
        elif hold.source:
            kept.sources.add(hold.source)
        else:
            kept.everything = True
    return kept


def _people(connection: duckdb.DuckDBPyConnection) -> list[Person]:
    places = [
        f"SELECT source, {_OWNED} AS id FROM {schema}.{quoted(table)}"
        for (schema, table), columns in stored_columns(connection).items()
        if _OWNED in columns
    ]
    places += ["SELECT source, id FROM main.patient", "SELECT source, id FROM history.patient"]
    return connection.execute(
        f"SELECT DISTINCT source, id FROM ({' UNION ALL '.join(places)}) WHERE id IS NOT NULL"
    ).fetchall()


def old_rows(
    connection: duckdb.DuckDBPyConnection, before: Mapping[DataClass, datetime], since: Since, kept: Kept
) -> dict[DataClass, dict[Place, Change]]:
    """By class the rows from before that class's time (the first that is kept) that are not held."""
    makers: dict[DataClass, Callable[[datetime], dict[Place, Change]]] = {
        DataClass.RECORDS: lambda at: _records(connection, at, since, kept),
        DataClass.HISTORY: lambda at: _history(connection, at, kept),
        DataClass.QUARANTINE: lambda at: _quarantine(connection, at, kept),
        DataClass.MESSAGES: lambda at: _messages(connection, at, kept),
        DataClass.LOGS: lambda at: _logs(connection, at, kept),
    }
    return {
        of: {place: change for place, change in make(before[of]).items() if change.gone or change.replaced}
        for of, make in makers.items()
        if of in before and of not in kept.classes and not kept.everything
    }


def _free(of: DataClass, kept: Kept, *, whole: bool) -> str:
    """The condition that a row is of no source that is held; ``whole``: nor of one of which a patient is, for rows that
    do not say whose they are.
    """
    held = kept.sources | {source for one, source in kept.of_class if one is of}
    if whole:
        held |= {source for source, _ in kept.people}
    return f"source NOT IN ({', '.join(map(text, sorted(held)))})" if held else "true"


def _unheld(columns: Collection[str], table: str, kept: Kept) -> str:
    """The condition that a row of a table of resources is of nobody who is held."""
    if not kept.people:
        return "true"
    pairs = ", ".join(f"({text(source)}, {text(ident)})" for source, ident in sorted(kept.people))
    sources = ", ".join(sorted({text(source) for source, _ in kept.people}))
    if table == "patient":
        return f"(source, id) NOT IN ({pairs})"
    if _OWNED not in columns:
        return f"source NOT IN ({sources})"
    return f"CASE WHEN {_OWNED} IS NULL THEN source NOT IN ({sources}) ELSE (source, {_OWNED}) NOT IN ({pairs}) END"


def _rows(connection: duckdb.DuckDBPyConnection, place: Place, where: str, told: Mapping[str, object]) -> set[int]:
    rows = connection.execute(f"SELECT rowid FROM {place[0]}.{quoted(place[1])} WHERE {where}", dict(told)).fetchall()
    return {row for (row,) in rows}


def _records(connection: duckdb.DuckDBPyConnection, before: datetime, since: Since, kept: Kept) -> dict[Place, Change]:
    """Current rows, with all earlier versions, patches and rows of views of their identities."""
    changes: dict[Place, Change] = defaultdict(Change)
    stored, old = stored_columns(connection), "last_updated < $at"
    if since is Since.LOAD:
        old = "load_id IN (SELECT load_id FROM etl.load WHERE started_at < $at)"
    for (schema, table), columns in stored.items():
        if schema != STORED:
            continue
        free = f"{_free(DataClass.RECORDS, kept, whole=False)} AND {_unheld(columns, table, kept)}"
        gone = changes[schema, table].gone = _rows(connection, (schema, table), f"{old} AND {free}", {"at": before})
        if not gone:
            continue
        key = "source, type, id" if table == "resource" else "source, id"
        with choosing(connection, gone) as chosen:
            connection.execute(
                f"CREATE OR REPLACE TEMP TABLE {_GONE} AS SELECT {key} FROM {schema}.{quoted(table)} "
                f"WHERE rowid IN {chosen}"
            )
        for other in (STORED_HISTORY, STORED_PATCH):
            if (other, table) in stored:
                changes[other, table].gone |= _rows(
                    connection, (other, table), f"({key}) IN (SELECT ({key}) FROM {_GONE})", {}
                )
        for view in views_of(connection):
            if _table_of(view.resource_type) == table:
                where = f"(source, resource_id) IN (SELECT (source, id) FROM {_GONE})"
                changes["main", view.name].gone |= _rows(connection, ("main", view.name), where, {})
    return changes


def _table_of(resource_type: str) -> str:
    from schemas.tables import tables_by_type  # noqa: PLC0415 - builds all models

    table = tables_by_type().get(resource_type)
    return "resource" if table is None else table.name


def _history(connection: duckdb.DuckDBPyConnection, before: datetime, kept: Kept) -> dict[Place, Change]:
    """Earlier versions by when another took their place. Those that are folded from patches would be made again by the
    next patch, and stay.
    """
    changes: dict[Place, Change] = defaultdict(Change)
    stored = stored_columns(connection)
    for (schema, table), columns in stored.items():
        if schema == STORED_HISTORY:
            old = "superseded_by IN (SELECT load_id FROM etl.load WHERE started_at < $at)"
            free = f"{_free(DataClass.HISTORY, kept, whole=False)} AND {_unheld(columns, table, kept)}"
            if (STORED_PATCH, table) in stored:
                free += f" AND (source, id) NOT IN (SELECT (source, id) FROM {STORED_PATCH}.{quoted(table)})"
            changes[schema, table].gone = _rows(connection, (schema, table), f"{old} AND {free}", {"at": before})
    return changes


def _quarantine(connection: duckdb.DuckDBPyConnection, before: datetime, kept: Kept) -> dict[Place, Change]:
    place, free = ("etl", "quarantine"), _free(DataClass.QUARANTINE, kept, whole=True)
    return {place: Change(gone=_rows(connection, place, f"quarantined_at < $at AND {free}", {"at": before}))}


def _messages(connection: duckdb.DuckDBPyConnection, before: datetime, kept: Kept) -> dict[Place, Change]:
    """Payloads of messages whose rows are made and of which nothing stands in the quarantine. Their names stay, so that
    one that is sent again is known.
    """
    where = (
        f"received_at < $at AND {_free(DataClass.MESSAGES, kept, whole=True)} AND payload IS NOT NULL "
        "AND reason IS NULL AND number <= (SELECT max(settled) FROM etl.listener l WHERE l.source = message.source)"
    )
    place = ("etl", "message")
    rows = _rows(connection, place, where, {"at": before})
    return {place: Change(replaced=rows, fresh=[rows_without(connection, place, rows, "payload")] if rows else [])}


def _logs(connection: duckdb.DuckDBPyConnection, before: datetime, kept: Kept) -> dict[Place, Change]:
    """What loads found and counted; what they did (`etl.load`, receipts, commits) stays."""
    old = "load_id IN (SELECT load_id FROM etl.load WHERE started_at < $at)"
    free = _free(DataClass.LOGS, kept, whole=True)
    return {
        ("etl", table): Change(gone=_rows(connection, ("etl", table), f"{old} AND {free}", {"at": before}))
        for table in _LOGS
    }
