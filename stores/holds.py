"""Legal holds: what must be kept, by class of data, source or patient, as the last policy says."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from schemas.suppression import PERSON, token
from stores.people import Person
from stores.records import insert_records


@dataclass(frozen=True, slots=True)
class Hold:
    """What is held: data of a class, of a source, of a patient (by token); None: of any."""

    why: str
    data_class: str | None = None
    source: str | None = None
    token: bytes | None = None


def save_holds(connection: duckdb.DuckDBPyConnection, holds: Sequence[Hold], now: datetime) -> None:
    """Put these holds in place of those that the mart knows; within the caller's transaction."""
    connection.execute("DELETE FROM etl.hold")
    rows = [
        {"data_class": one.data_class, "source": one.source, "token": one.token, "why": one.why, "noted_at": now}
        for one in holds
    ]
    insert_records(connection, "hold", rows)


def holds_of(connection: duckdb.DuckDBPyConnection) -> list[Hold]:
    """The holds that the mart knows."""
    rows = connection.execute("SELECT why, data_class, source, token FROM etl.hold ORDER BY ALL").fetchall()
    return [Hold(why, kind, source, None if made is None else bytes(made)) for why, kind, source, made in rows]


def held_people(
    connection: duckdb.DuckDBPyConnection, people: Collection[Person], secrets: Callable[[], Sequence[bytes]]
) -> int:
    """How many of these people are under hold, themselves or with all of their source. Holds of one class of data say
    how long that is kept, and keep nobody from being erased. ``secrets`` gives the keys of tokens.
    """
    holds = [hold for hold in holds_of(connection) if hold.data_class is None]
    if not holds:
        return 0
    keys = secrets()
    return sum(any(_holds(hold, person, keys) for hold in holds) for person in people)


def _holds(hold: Hold, person: Person, keys: Sequence[bytes]) -> bool:
    source, ident = person
    if hold.source not in (None, source):
        return False
    return hold.token is None or any(hold.token == token(key, source, PERSON, ident) for key in keys)
