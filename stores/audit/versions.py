"""Which versions a load brought in, as roots of Merkle trees: what the rows of a mart are held against.

A version is named by its content hash (SHA-256 of the resource as received) and its id. The names of a load and a
resource type, sorted by their bytes, are cut in runs of 256; a leaf of the tree is a run: the lengths of its names
(4 bytes each, little-endian), then the names. So a root costs no hash for each row, and tells when a version is taken
away, added, or given another id or content hash. Values of other columns are not in it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from stores.audit.merkle import Frontier, leaf_hash
from stores.ddl import RESOURCE_TABLE, TOMBSTONE, Stored, contract
from stores.sql import STORED, STORED_HISTORY, STORED_PATCH, quoted, text
from stores.step import VERDICT, Merge

RUN = 256  # versions in a leaf
_BATCH = 100 * RUN  # rows that are taken from the mart at a time
ROWS, DELETES, PATCHES = "rows", "deletes", "patches"
EVERY_LOAD = "*"  # in place of the loads whose versions are told anew
_ENTRY = "content_hash || encode(id) AS entry"


@dataclass(frozen=True, slots=True)
class Anchor:
    """Versions of one load and type. ``kind``: rows, deletes, or patches (HL7 v2 messages, which rows are folded of).

    ``part``: only those of one commit of a load that made several.
    """

    load: str
    type: str
    kind: str
    count: int
    root: str  # hexadecimal
    part: bool = False

    def as_dict(self) -> dict[str, object]:
        """As a record has it."""
        told: dict[str, object] = {"load": self.load, "type": self.type, "kind": self.kind}
        return told | {"count": self.count, "root": self.root} | ({"part": True} if self.part else {})


class VersionTree:
    """The tree over names of versions that come sorted."""

    def __init__(self) -> None:
        self._grown = Frontier()
        self._lengths: list[bytes] = []
        self._names: list[bytes] = []
        self._pending = 0
        self.count = 0

    def add(self, names: Any) -> None:
        """Add an Arrow array of type large_binary."""
        import numpy  # noqa: PLC0415 - late

        _, offsets_buffer, values = names.buffers()
        offsets = numpy.frombuffer(offsets_buffer, "<i8", len(names) + 1, names.offset * 8)
        lengths = numpy.diff(offsets).astype("<u4")
        at = 0
        while at < len(names):
            take = min(RUN - self._pending, len(names) - at)
            self._lengths.append(lengths[at : at + take].tobytes())
            self._names.append(values[offsets[at] : offsets[at + take]].to_pybytes())
            self._pending += take
            at += take
            if self._pending == RUN:
                self._close_run()
        self.count += len(names)

    def root(self) -> bytes:
        """The root over all that was added, after which nothing more may be."""
        if self._pending:
            self._close_run()
        return self._grown.root()

    def _close_run(self) -> None:
        self._grown.append(leaf_hash(b"".join(self._lengths + self._names)))
        self._lengths, self._names, self._pending = [], [], 0


def came_in(connection: duckdb.DuckDBPyConnection, load: str, kind: str, relation: str, *, part: bool) -> list[Anchor]:
    """Anchors by type of the versions in ``relation``, which has ``type``, ``id`` and ``content_hash``."""
    rows = f"SELECT {text(load)} AS load_id, type, id, content_hash FROM {relation}"
    return _anchors(connection, rows, kind=kind, part=part)


def fresh_rows(step: Merge) -> str:
    """After a merge that judged: the versions that are new in the mart."""
    return (
        f"(SELECT {step.kind} AS type, id, content_hash FROM {VERDICT} WHERE new AND NOT deleted AND (top OR NOT twin))"
    )


def fresh_deletes(step: Merge) -> str:
    """After a merge that judged: the deletes that are new in the mart."""
    return f"(SELECT {step.kind} AS type, id, content_hash FROM {VERDICT} WHERE new AND deleted)"


def staged_rows(step: Merge) -> str:
    """All staged rows, or patches."""
    return f"(SELECT {step.kind} AS type, id, content_hash FROM {step.staged})"


def loads_of_twins(connection: duckdb.DuckDBPyConnection, step: Merge) -> set[str]:
    """Before rows move: the loads some of whose versions go, because the same was written anew."""
    going = f"(SELECT * FROM {VERDICT} WHERE twin AND NOT new AND NOT deleted)"
    if connection.execute(f"SELECT 1 FROM {going} LIMIT 1").fetchone() is None:
        return set()
    same = f"USING ({step.keys}, content_hash)"
    found = " UNION ".join(
        f"SELECT load_id FROM (SELECT * FROM {place} WHERE source = {text(step.source)}) t SEMI JOIN {going} v {same}"
        for place in (step.main, step.history)
    )
    return {load for (load,) in connection.execute(found).fetchall()}


def stored_versions(
    connection: duckdb.DuckDBPyConnection, stored: Stored, loads: Collection[str] | None = None
) -> Iterator[Anchor]:
    """Anchors of the rows and deletes that the mart holds, by type and load; of all loads or some.

    ``stored`` is what :func:`stores.stored.stored_columns` says. Rows of sources and types that HL7 v2 messages patch
    are left out: these are folds, and change their load as patches come.
    """
    wanted = "" if loads is None else f" AND load_id IN (SELECT unnest([{', '.join(map(text, sorted(loads)))}]))"
    if loads is not None and not loads:
        return
    for table in sorted({table for schema, table in stored if schema == STORED}):
        kind = "type" if table == RESOURCE_TABLE else text(_type_of(table))
        plain = ""
        if (STORED_PATCH, table) in stored:
            plain = f" AND source NOT IN (SELECT DISTINCT source FROM {STORED_PATCH}.{quoted(table)})"
        rows = " UNION ALL ".join(
            f"SELECT load_id, {kind} AS type, id, content_hash FROM {schema}.{quoted(table)} WHERE true{wanted}{plain}"
            for schema in (STORED, STORED_HISTORY)
            if (schema, table) in stored
        )
        yield from _anchors(connection, rows, kind=ROWS)
    deletes = f"SELECT load_id, resource_type AS type, id, content_hash FROM etl.{TOMBSTONE} WHERE true{wanted}"
    yield from _anchors(connection, deletes, kind=DELETES)


def patched_types(connection: duckdb.DuckDBPyConnection, stored: Stored) -> set[tuple[str, str]]:
    """(source, type) of which patches are kept."""
    found: set[tuple[str, str]] = set()
    for schema, table in stored:
        if schema == STORED_PATCH:
            rows = connection.execute(f"SELECT DISTINCT source FROM {STORED_PATCH}.{quoted(table)}").fetchall()
            found |= {(source, _type_of(table)) for (source,) in rows}
    return found


def _anchors(connection: duckdb.DuckDBPyConnection, rows: str, *, kind: str, part: bool = False) -> list[Anchor]:
    """The rows of a query with ``load_id``, ``type``, ``id`` and ``content_hash`` as anchors."""
    groups = connection.execute(
        f"SELECT load_id, type, count(*) FROM ({rows}) GROUP BY ALL ORDER BY load_id, type"
    ).fetchall()
    if not groups:
        return []
    made: list[Anchor] = []
    ordered = "entry" if len(groups) == 1 else "load_id, type, entry"
    names = _Names(connection, f"SELECT entry FROM (SELECT load_id, type, {_ENTRY} FROM ({rows})) ORDER BY {ordered}")
    for load, resource_type, count in groups:
        tree = VersionTree()
        for some in names.take(count):
            tree.add(some)
        made.append(Anchor(str(load), str(resource_type), kind, tree.count, tree.root().hex(), part))
    return made


class _Names:
    """The one column of a query, in batches."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, query: str) -> None:
        # A cursor of its own would not see what the caller's transaction has done, so all groups are of one query.
        self._batches = iter(connection.sql(query).to_arrow_reader(_BATCH))
        self._rest: Any = None

    def take(self, count: int) -> Iterator[Any]:
        """The next so many, as arrays of large_binary."""
        import pyarrow as pa  # noqa: PLC0415 - late

        while count:
            if self._rest is None or not len(self._rest):
                batch = next(self._batches, None)
                if batch is None:
                    return
                self._rest = batch.column(0).cast(pa.large_binary())
            part, self._rest = self._rest[:count], self._rest[count:]
            count -= len(part)
            yield part


def _type_of(table: str) -> str:
    return _types()[table]


def _types() -> dict[str, str]:
    from schemas.tables import all_tables  # noqa: PLC0415 - the models

    if not _TYPES:
        _TYPES.update({contract(one).name: one.resource_type for one in all_tables()})
    return _TYPES


_TYPES: dict[str, str] = {}


def total(anchors: Sequence[Anchor]) -> int:
    """How many versions they are of."""
    return sum(one.count for one in anchors)
