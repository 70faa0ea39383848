"""What stands of people beside the tables of resources: views, segments, sections, quarantine, messages, file names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import duckdb
import polars as pl

from flows.erasing.find import Found
from schemas.bookkeeping import SECTION_TABLE, SEGMENT_TABLE
from schemas.payload_names import named_identifiers, named_patients
from schemas.suppression import ERASED
from stores.people import Values
from stores.rewrite import ROW, Change, Place, rows_without, whole_rows
from stores.sql import quoted, text
from stores.views import views_of

_FETCHED = 5_000
_NAMING_FILES: tuple[Place, ...] = (
    ("etl", "receipt"),
    ("etl", "object"),
    ("etl", "quarantine"),
    ("main", SEGMENT_TABLE),
    ("main", SECTION_TABLE),
)


def find_beside(connection: duckdb.DuckDBPyConnection, found: Found, values: Values) -> None:
    """Add to ``found`` what becomes of the other tables."""
    _views(connection, found)
    hashes = _segments(connection, found, values)
    _rows(connection, found, ("main", SECTION_TABLE), f"(source, patient_id) IN ({_pairs(found.people)})")
    _identities(connection, found, ("etl", "validation"), "resource_type", "id")
    _identities(connection, found, ("etl", "tombstone"), "resource_type", "id")
    _quarantine(connection, found, values)
    _messages(connection, found, values, hashes)
    for place in _NAMING_FILES:
        _uris(connection, found.changes[place], place, values)


def names_them(payload: bytes, source: str, found: Found, values: Values, *, fields: bool = False) -> bool:
    """True when a payload names one of these people where payloads name people."""
    ids = {ident for whose, ident in found.people if whose == source}
    identifiers = {value for whose, value in values.identifiers if whose == source}
    named = named_identifiers(payload, fields=fields)
    return bool(ids & named_patients(payload)) or bool((identifiers | (ids if fields else set())) & named)


def _views(connection: duckdb.DuckDBPyConnection, found: Found) -> None:
    """Rows of views of resources that go, and of those that others keep the rows that name one of these people."""
    by_type: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for source, kind, ident in found.identities:
        by_type[kind].append((source, ident))
    for view in views_of(connection):
        place = ("main", view.name)
        if view.resource_type in by_type:
            _rows(connection, found, place, f"(source, resource_id) IN ({_pairs(by_type[view.resource_type])})")
        texts = [
            column
            for (column,) in connection.execute(
                "SELECT column_name FROM duckdb_columns() WHERE schema_name = 'main' AND table_name = ? "
                "AND data_type LIKE '%VARCHAR%' AND database_name = current_database() "
                "AND column_name NOT IN ('source', 'load_id')",
                [view.name],
            ).fetchall()
        ]
        ids = sorted({ident for _, ident in found.people})
        pattern = text(r"(?:^|[^A-Za-z0-9.\-])(?:" + "|".join(map(re.escape, ids)) + r")(?:$|[^A-Za-z0-9.\-])")
        for column in texts:
            sources = ", ".join(sorted({text(source) for source, _ in found.people}))
            where = f"source IN ({sources}) AND regexp_matches(CAST({quoted(column)} AS VARCHAR), {pattern})"
            _rows(connection, found, place, where)


def _segments(connection: duckdb.DuckDBPyConnection, found: Found, values: Values) -> set[bytes]:
    """Segments of messages about these people: by the patient that their message made, else by their PID; the hashes
    of these messages.
    """
    table = f"main.{SEGMENT_TABLE}"
    theirs = {
        bytes(digest)
        for (digest,) in connection.execute(
            f"SELECT DISTINCT message_hash FROM {table} WHERE (source, patient_id) IN ({_pairs(found.people)})"
        ).fetchall()
    }
    rows = connection.execute(
        f"SELECT message_hash, source, text FROM {table} WHERE segment IN ('PID', 'MRG')"
    ).fetchall()
    theirs |= {bytes(digest) for digest, source, told in rows if names_them(told.encode(), source, found, values)}
    if theirs:
        hashes = ", ".join(f"unhex('{digest.hex()}')" for digest in sorted(theirs))
        _rows(connection, found, ("main", SEGMENT_TABLE), f"message_hash IN ({hashes})")
    return theirs


def _quarantine(connection: duckdb.DuckDBPyConnection, found: Found, values: Values) -> None:
    _identities(connection, found, ("etl", "quarantine"), "resource_type", "resource_id")
    gone = found.changes["etl", "quarantine"].gone
    for at, source, payload, resolved in _each(
        connection, "SELECT rowid, source, payload, resolved FROM etl.quarantine"
    ):
        data = bytes(payload or b"")
        line = (resolved or "").startswith('{"columns"')
        if names_them(data, source, found, values, fields=line) or names_them(
            (resolved or "").encode(), source, found, values
        ):
            gone.add(at)


def _messages(connection: duckdb.DuckDBPyConnection, found: Found, values: Values, hashes: set[bytes]) -> None:
    """Messages of listeners lose their payload; their names stay, so that one that is sent again is known."""
    digests = {digest.hex() for digest in hashes}
    at = [
        row
        for row, source, digest, payload in _each(
            connection, "SELECT rowid, source, sha256, payload FROM etl.message WHERE payload IS NOT NULL"
        )
        if digest in digests or names_them(bytes(payload), source, found, values)
    ]
    if at:
        change = found.changes["etl", "message"]
        change.replaced |= set(at)
        change.fresh.append(rows_without(connection, ("etl", "message"), at, "payload"))


def _uris(connection: duckdb.DuckDBPyConnection, change: Change, place: Place, values: Values) -> None:
    """Names of files that name a person say so no more."""
    name = f"{place[0]}.{quoted(place[1])}"
    wanted = names_in_files(values)
    if wanted is None:
        return
    uris = [uri for (uri,) in connection.execute(f"SELECT DISTINCT uri FROM {name} WHERE uri IS NOT NULL").fetchall()]
    named = [uri for uri in uris if wanted.search(uri)]
    if not named:
        return
    rows = connection.execute(f"SELECT rowid FROM {name} WHERE uri IN (SELECT unnest(?))", [named]).fetchall()
    at = [row for (row,) in rows if row not in change.gone]
    if at:
        renamed = pl.col("uri").replace({uri: wanted.sub(ERASED, uri) for uri in named})
        change.replaced |= set(at)
        change.fresh.append(whole_rows(connection, place, at).with_columns(renamed).drop(ROW))


def names_in_files(values: Values) -> re.Pattern[str] | None:
    """What finds a person in the name of a file; None when there is nothing to look for."""
    wanted = sorted((re.escape(value) for value in values.sure | values.likely), key=len, reverse=True)
    return re.compile(r"(?<![A-Za-z0-9])(?:" + "|".join(wanted) + r")(?![A-Za-z0-9])") if wanted else None


def _rows(connection: duckdb.DuckDBPyConnection, found: Found, place: Place, where: str) -> None:
    rows = connection.execute(f"SELECT rowid FROM {place[0]}.{quoted(place[1])} WHERE {where}").fetchall()
    found.changes[place].gone |= {row for (row,) in rows}


def _identities(connection: duckdb.DuckDBPyConnection, found: Found, place: Place, kind: str, ident: str) -> None:
    """Rows that name a resource of theirs by type and id."""
    frame = pl.DataFrame(
        sorted(found.identities), schema=dict.fromkeys(("source", kind, ident), pl.String), orient="row"
    )
    connection.register("~identities", frame.to_arrow())
    rows = connection.execute(
        f'SELECT t.rowid FROM {place[0]}.{quoted(place[1])} t SEMI JOIN "~identities" i USING (source, {kind}, {ident})'
    ).fetchall()
    connection.unregister("~identities")
    found.changes[place].gone |= {row for (row,) in rows}


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"({text(source)}, {text(ident)})" for source, ident in sorted(pairs))


def _each(connection: duckdb.DuckDBPyConnection, query: str) -> Iterable[tuple[Any, ...]]:
    result = connection.execute(query)
    while rows := result.fetchmany(_FETCHED):
        yield from rows
