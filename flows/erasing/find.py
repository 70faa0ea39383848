"""What of a mart is somebody's: every row, by the rule of :mod:`schemas.compartment` and the same code as in loads."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import duckdb
import polars as pl

from schemas.compartment import links
from schemas.suppression import IDENTIFIER, PERSON, Suppression, token
from schemas.table import Table
from schemas.tables import all_tables
from stores.ddl import RESOURCE_TABLE
from stores.people import Person, Values
from stores.rewrite import ROW, Change, Place, whole_rows
from stores.sql import STORED, quoted, text
from stores.stored import stored_columns
from transforms.suppress import theirs
from transforms.unmention import without_mentions

_BATCH = 100_000
_BINARY = re.compile(r"\bBinary/([A-Za-z0-9\-.]{1,64})")  # what attachments of a document lie in
_OWNED = "patient_id"

Identity = tuple[str, str, str]  # source, resource type and id


@dataclass(slots=True)
class Found:
    """What is theirs: the identities of their resources, and by table what becomes of its rows."""

    people: set[Person]
    identities: set[Identity] = field(default_factory=set)
    changes: dict[Place, Change] = field(default_factory=lambda: defaultdict(Change))


class _Tokens:
    """A list in memory of all that is found, to be asked as a load asks the one of the mart."""

    def __init__(self, key: bytes, people: set[Person], values: Values) -> None:
        self._key = key
        self._by_source: dict[str, set[bytes]] = defaultdict(set)
        for source, ident in people:
            self.add((source, PERSON, ident))
        for source, value in values.identifiers:
            self.add((source, IDENTIFIER, value))

    def add(self, one: Identity) -> None:
        self._by_source[one[0]].add(token(self._key, *one))

    def of(self, source: str) -> Suppression:
        return Suppression(source, ((self._key, frozenset(self._by_source[source])),))


def find(connection: duckdb.DuckDBPyConnection, key: bytes, people: set[Person], values: Values) -> Found:
    """All rows of resources that belong to ``people`` or mention them, in the tables of resources and their history.

    What refers only to what is found is found too, so this looks again until nothing more is.
    """
    found, tokens = Found(set(people)), _Tokens(key, people, values)
    stored, models = stored_columns(connection), {table.name: table for table in all_tables()}
    places = sorted(place for place in stored if place[1] in models or place[1] == RESOURCE_TABLE)
    sources = sorted({source for source, _ in people})
    found.identities |= {(source, PERSON, ident) for source, ident in people}
    for owned in (True, False):
        while True:
            changes: dict[Place, Change] = defaultdict(Change)
            came: set[Identity] = set()
            for place in places:
                look = _Look(connection, place, models.get(place[1]), stored[place])
                for source in sources:
                    came |= look.into(changes[place], tokens.of(source), owned=owned)
            more = came - found.identities
            found.identities |= more
            for one in more:
                tokens.add(one)
            if owned or not more:
                break
        for place, change in changes.items():
            _add(found.changes[place], change)
    return found


def _add(into: Change, other: Change) -> None:
    into.gone |= other.gone
    into.replaced |= other.replaced
    into.fresh += other.fresh


@dataclass(frozen=True, slots=True)
class _Look:
    """One table that is looked through."""

    connection: duckdb.DuckDBPyConnection
    place: Place
    table: Table | None
    columns: Mapping[str, str]

    def into(self, change: Change, suppression: Suppression, *, owned: bool) -> set[Identity]:
        """Add what becomes of the rows of a source, of those that say whose they are (``owned``) or the others; the
        identities that are wholly theirs.
        """
        source = suppression.source
        where = self._where(source, owned=owned)
        if where is None:
            return set()
        gone: set[tuple[str, str]] = set()
        before = len(change.gone)
        mentions: dict[int, frozenset[tuple[str, str]]] = {}
        for frame in self._frames(where):
            for kind, rows in self._by_type(frame):
                told = theirs(suppression, kind, self.table, rows)
                at = rows[ROW].to_list()
                change.gone |= {at[row] for row in told.rows}
                gone |= {(kind, rows["id"][row]) for row in told.rows}
                mentions |= {at[row]: of for row, of in told.mentions.items()}
        self._mend(change, mentions)
        found = {(source, kind, ident) for kind, ident in gone}
        holds_documents = self.table is None or self.table.name == "document_reference"
        if holds_documents and len(change.gone) > before:
            found |= {(source, "Binary", ident) for ident in self._binaries(change, source)}
        return found - self._staying(source, found)

    def _where(self, source: str, *, owned: bool) -> str | None:
        ours = f"source = {text(source)}"
        if self.table is not None and self.table.resource_type == PERSON:
            return ours if owned else None
        if _OWNED not in self.columns:
            return None if owned else ours
        return f"{ours} AND {_OWNED} IS {'NOT ' if owned else ''}NULL"

    def _frames(self, where: str) -> Iterator[pl.DataFrame]:
        wanted = ["id"] if self.table is not None else ["id", "type", "json"]
        if self.table is not None:
            wanted += dict.fromkeys(n for link in links(self.table) for n in link.names if n in self.columns)
        shown = ", ".join(map(quoted, wanted))
        relation = self.connection.sql(f"SELECT rowid AS {quoted(ROW)}, {shown} FROM {_name(self.place)} WHERE {where}")
        for batch in relation.to_arrow_reader(_BATCH):
            frame = pl.from_arrow(batch)
            assert isinstance(frame, pl.DataFrame)
            if frame.height:
                yield frame

    def _by_type(self, frame: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
        if self.table is not None:
            yield self.table.resource_type, frame
            return
        for (kind,), rows in frame.group_by("type", maintain_order=True):
            yield str(kind), rows

    def _mend(self, change: Change, mentions: Mapping[int, frozenset[tuple[str, str]]]) -> None:
        """Rows of others, without what they say of these people."""
        if not mentions:
            return
        at = sorted(mentions)
        frame = whole_rows(self.connection, self.place, at)
        of = {number: mentions[row] for number, row in enumerate(frame[ROW].to_list())}
        change.replaced |= mentions.keys()
        change.fresh.append(without_mentions(frame, self.table, of).drop(ROW))

    def _binaries(self, change: Change, source: str) -> set[str]:
        """The Binary resources that documents which go lie in."""
        frame = whole_rows(self.connection, self.place, sorted(change.gone)).filter(pl.col("source") == source)
        texts = [c for c, dtype in frame.schema.items() if dtype == pl.String or isinstance(dtype, pl.List)]
        return {ident for row in frame.select(texts).iter_rows() for ident in _BINARY.findall(repr(row))}

    def _staying(self, source: str, found: set[Identity]) -> set[Identity]:
        """Of identities of which rows go those whose current row is another person's, and stays."""
        if not found or self.place[0] == STORED:
            return set()
        main = (STORED, self.place[1])
        if main not in stored_columns(self.connection):
            return set()
        kind = text(self.table.resource_type) if self.table is not None else "type"
        owner = f"{_OWNED} IS NOT NULL" if _OWNED in stored_columns(self.connection)[main] else "false"
        rows = self.connection.execute(
            f"SELECT {kind}, id FROM {_name(main)} WHERE source = ? AND id IN (SELECT unnest(?)) AND {owner}",
            [source, sorted({ident for _, _, ident in found})],
        ).fetchall()
        return {(source, of, ident) for of, ident in rows}


def _name(place: Place) -> str:
    return f"{place[0]}.{quoted(place[1])}"
