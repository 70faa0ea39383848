"""The way back from a table, a column or a row: to the element of FHIR, the resource type, the files and the line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb

from flows.lineage.proof import Received, find_lines, received
from schemas.bookkeeping import SECTION_TABLE, SEGMENT_TABLE
from schemas.errors import UsageError
from schemas.lineage import Origin, named, origins, origins_of_child
from schemas.table import Table
from schemas.tables import all_tables
from stores.ddl import RESOURCE_TABLE
from stores.mart import Mart
from stores.sql import quoted

MOST_FILES = 20  # of a source that are named; of more the number
_WHOLE = (RESOURCE_TABLE, SEGMENT_TABLE, SECTION_TABLE)


@dataclass(slots=True)
class Step:
    """A step of the way back, and what lies behind it. ``kind``: table, column, element, type, source, row, file,
    line, more or unknown.
    """

    kind: str
    name: str
    about: str = ""
    behind: list[Step] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        """For ``--format json``."""
        told: dict[str, object] = {"kind": self.kind, "name": self.name, "about": self.about}
        return told | {"from": [step.as_dict() for step in self.behind]}


def way_back(
    mart: Mart, table: str, column: str | None = None, row: str | None = None, source: str | None = None
) -> Step:
    """Where a table, one of its columns or one of its rows comes from.

    ``row`` is an id; ``source`` names one of several. UsageError for what the models or the mart do not have.
    """
    known, model = _model_of(table)
    start, last = _start(table, column, known)
    with mart.connect(read_only=True) as connection:
        if row is not None:
            if model is None:
                raise UsageError(f"rows of {table} name their file and line themselves: see its columns uri and line")
            versions = _versions(connection, model, row, source)
        else:
            last.behind += [_type(connection, kind, source) for kind in _types(connection, table, model)]
            return start
    last.behind += [_version(*version, ident=row) for version in versions]  # the mart is free while files are read
    return start


def _model_of(table: str) -> tuple[list[Origin], Table | None]:
    """The columns of a table by its model, and the model; neither for tables of what is kept as it came."""
    if table in _WHOLE:
        return [], None
    parents = {model.name: model for model in all_tables()}
    children = {child.child_table or "": (model, child) for model in all_tables() for child in model.child_tables()}
    name = named(table, [*parents, *children, *_WHOLE], "the table")
    if name in parents:
        return [*origins(parents[name])], parents[name]
    model, child = children[name]
    return [*origins_of_child(model, child)], model


def _start(table: str, column: str | None, known: Sequence[Origin]) -> tuple[Step, Step]:
    """The first step, and the one that files lie behind."""
    if column is None:
        about = f"{len(known)} columns by its model" if known else "kept as it came"
        start = Step("table", f"main.{table}", about)
        return start, start
    by_name = {origin.column: origin for origin in known}
    if not known:
        raise UsageError(f"{table} has what came as it came: ask for the table")
    origin = by_name[named(column, by_name, f"the column of {table}")]
    made = "as sent" if origin.done == "IDENTITY" else "made of it"
    element = Step("element", f"{origin.resource_type}.{origin.path}", f"FHIRPath; {made}")
    if not origin.path:
        element = Step("element", "clinmart", "made by the load itself")
    about = f"{origin.dtype.partition('(')[0]}; {origin.description}{' PHI.' if origin.phi else ''}"
    return Step("column", f"{table}.{origin.column}", about, [element]), element


def _types(connection: duckdb.DuckDBPyConnection, table: str, model: Table | None) -> list[str | None]:
    if model is not None:
        return [model.resource_type]
    if table == RESOURCE_TABLE:
        return [kind for (kind,) in connection.execute("SELECT DISTINCT type FROM main.resource ORDER BY 1").fetchall()]
    return [None]


def _type(connection: duckdb.DuckDBPyConnection, kind: str | None, source: str | None) -> Step:
    step = Step("type", kind or "messages or documents", "FHIR R4 resource type" if kind else "")
    sources = connection.execute("SELECT DISTINCT source FROM etl.receipt ORDER BY 1").fetchall()
    for (name,) in sources:
        if source in (None, name) and (pieces := received(connection, kind, name)):
            step.behind.append(_source(name, pieces))
    if not step.behind:
        step.behind.append(Step("unknown", "no file", "the mart has no receipt of a file that had it"))
    return step


def _source(name: str, pieces: Sequence[Received]) -> Step:
    step = Step("source", name, f"{len({piece.uri for piece in pieces}):,} files")
    step.behind = [_file(piece) for piece in pieces[:MOST_FILES]]
    if len(pieces) > MOST_FILES:
        step.behind.append(Step("more", f"{len(pieces) - MOST_FILES:,} more", "see etl.receipt"))
    return step


def _file(piece: Received) -> Step:
    part = f" from byte {piece.start:,}" if piece.start else ""
    return Step("file", piece.uri, f"{piece.lines:,} lines{part}, load {piece.load_id}")


_Version = tuple[str, str, str, bytes, str, list[Received]]


def _versions(connection: duckdb.DuckDBPyConnection, model: Table, ident: str, source: str | None) -> list[_Version]:
    """The versions of a row with the files that may have them."""
    columns = "source, load_id, last_updated::VARCHAR, content_hash"
    rows = connection.execute(
        f"SELECT {columns}, 'now' AS place FROM main.{quoted(model.name)} WHERE id = $id "
        f"UNION ALL SELECT {columns}, 'earlier' FROM history.{quoted(model.name)} WHERE id = $id ORDER BY 1, 3 DESC",
        {"id": ident},
    ).fetchall()
    found: list[_Version] = []
    for name, load_id, updated, content_hash, place in rows:
        if source in (None, name):
            pieces = received(connection, model.resource_type, name, load_id)
            # a file that came again has its receipt from the later load
            found.append(
                (
                    name,
                    load_id,
                    f"{place}, {updated}",
                    content_hash,
                    place,
                    pieces or received(connection, model.resource_type, name),
                )
            )
    if not found:
        raise UsageError(f"no row of {model.name} has that id{f' in source {source}' if source else ''}")
    return found


def _version(
    source: str, load_id: str, about: str, content_hash: bytes, _place: str, pieces: Sequence[Received], *, ident: str
) -> Step:
    step = Step("row", f"{source}, load {load_id}", about)
    for line in find_lines(pieces, ident, content_hash):
        proved = f"byte {line.offset:,}; its bytes have the row's SHA-256"
        step.behind.append(Step("line", f"{line.uri}:{line.line}", proved))
    if not step.behind:
        step.behind = [_file(piece) for piece in pieces[:MOST_FILES]] or [Step("unknown", "no file")]
        why = "one of these: a row of HL7 v2, C-CDA or an extract, or files that are gone, have no line with its hash"
        step.behind.append(Step("unknown", "line not proved", why))
    return step
