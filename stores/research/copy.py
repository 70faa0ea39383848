"""Writes a copy of a mart for analysts as a database of its own, with what became of each column."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date
from importlib.metadata import version

import duckdb

from schemas.bookkeeping import SECTION_TABLE, SEGMENT_TABLE
from schemas.research import OVERRULED, ResearchPolicy, Wish
from schemas.table import Element, Table
from stores.ddl import RESOURCE_TABLE
from stores.research.decide import decide
from stores.research.decision import Decision, Told, told
from stores.research.macros import make_macros
from stores.sql import STORED, quoted, text
from stores.stored import stored_columns

COPY = "research"  # as which the copy is attached
_UNITS = ("_unit", "_unit_code")  # ends of columns
_PERSONS = '"~persons"'
# Of tables without a patient of their own: whose dates they are.
_PERSON = {
    "patient": "id",
    "appointment": "list_filter(participants, lambda p: p.actor_type = 'Patient')[1].actor_id",
}
_WHOLE = {
    RESOURCE_TABLE: "resources without a model, whole",
    SEGMENT_TABLE: "HL7 v2 segments, whole",
    SECTION_TABLE: "parts of documents, whole",
}


def statement(policy: ResearchPolicy) -> str:
    """What the copy is and what it is not."""
    return policy.method.statement + (OVERRULED if Wish.KEEP in policy.columns.values() else "")


def write_copy(
    connection: duckdb.DuckDBPyConnection,
    tables: Sequence[Table],
    policy: ResearchPolicy,
    key: bytes,
    today: date,
    units: Collection[str],
) -> dict[str, int]:
    """Fill the empty database that is attached as ``research`` from the mart of the connection; rows by table.

    ``key`` (32 bytes) makes ids and shifts of dates, ``units`` are those that are understood. What is deleted, earlier
    versions, the quarantine, views of users and whatever was kept whole stay behind.
    """
    stored = {name: columns for (schema, name), columns in stored_columns(connection).items() if schema == STORED}
    make_macros(connection, policy, key, today, units)
    for schema in ("main", "etl"):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {COPY}.{schema}")
    here = [table for table in tables if table.name in stored]
    _name_persons(connection, [(table.name, who) for table in here if (who := _person(table, stored[table.name]))])
    rows: dict[str, int] = {}
    lines: list[tuple[str, Told, bool]] = []
    for table in tables:
        there, decisions = stored.get(table.name, {}), decide(table, policy)
        lines += [(table.name, line, line.column.partition("[")[0] in there) for line in told(decisions)]
        if there and (number := _count(connection, table.name)):
            _write(connection, table, decisions, there)
            rows[table.name] = number
    _document(connection, lines)
    _about(connection, policy, today)
    return rows


def units_of(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> set[str]:
    """The units that the rows and the items of their lists have, as sent."""
    found: set[str] = set()
    stored = stored_columns(connection)
    for table in tables:
        there = stored.get((STORED, table.name), {})
        for units in (u for e in table.elements if e.columns and e.columns[0].name in there for u in _units(e, "")):
            rows = connection.execute(f"SELECT DISTINCT unnest({units}) FROM main.{quoted(table.name)}").fetchall()
            found |= {unit for (unit,) in rows if isinstance(unit, str)}
    return found


def _units(element: Element, items: str) -> Iterator[str]:
    """SQL of the lists of units within an element; ``items`` is that of the list which it stands in."""

    def of(name: str) -> str:
        return f"list_transform({items}, lambda i: i.{quoted(name)})" if items else f"[{quoted(name)}]"

    for column in element.columns:
        if column.name.endswith(_UNITS):
            yield of(column.name)
    for child in element.children:
        yield from _units(child, f"flatten({of(element.columns[0].name)})")


def _person(table: Table, there: Collection[str]) -> str | None:
    """SQL of the id of the patient whose dates a row has."""
    if table.name in _PERSON:
        return _PERSON[table.name] if table.name == "patient" or "participants" in there else None
    return "patient_id" if "patient_id" in there else None


def _name_persons(connection: duckdb.DuckDBPyConnection, who: Sequence[tuple[str, str]]) -> None:
    """Everybody whom any row is about, with the days by which their dates are shifted."""
    parts = [f"SELECT source, {person} AS id FROM main.{quoted(name)}" for name, person in who]
    union = " UNION ".join((*parts, "SELECT NULL::VARCHAR AS source, NULL::VARCHAR AS id WHERE false"))
    connection.execute(
        f'CREATE OR REPLACE TEMP TABLE {_PERSONS} AS SELECT source, id, research_days(source, id) AS "days" '
        f"FROM ({union}) WHERE id IS NOT NULL"
    )


def _count(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    ((number,),) = connection.execute(f"SELECT count(*) FROM main.{quoted(name)}").fetchall()
    return int(number)


def _write(
    connection: duckdb.DuckDBPyConnection, table: Table, decisions: Sequence[Decision], there: Collection[str]
) -> None:
    """One table, and views of its parts. A column that never had data in the mart is left out."""

    def at(name: str) -> str:
        return f"r.{quoted(name)}"

    shown = [
        f"{made.sql(at)} AS {quoted(made.name)}"
        for decision in decisions
        if any(column.name in there for column in decision.columns)
        for made in decision.made
    ]
    who = _person(table, there)
    inner = f'SELECT *, {who or "NULL::VARCHAR"} AS "~person" FROM main.{quoted(table.name)}'
    connection.execute(
        f"CREATE TABLE {COPY}.main.{quoted(table.name)} AS SELECT {', '.join(shown)} FROM ({inner}) r "
        f'LEFT JOIN {_PERSONS} person ON person.source = r.source AND person.id = r."~person"'
    )
    made = {m.name for decision in decisions for m in decision.made}
    for part in table.child_tables():
        name = part.columns[0].name
        if name in made and name in there:
            connection.execute(_part_view(table, part, "patient_id" if "patient_id" in there else None))


def _part_view(table: Table, part: Element, person: str | None) -> str:
    items = f"p.{quoted(part.columns[0].name)}"
    shared = ", ".join(["p.source", "p.id", *([f"p.{person}"] if person else [])])
    return (
        f"CREATE VIEW {COPY}.main.{quoted(part.child_table or '')} AS SELECT {shared}, "
        f"generate_subscripts({items}, 1) AS ordinal, unnest({items}, max_depth := 2) "
        f"FROM main.{quoted(table.name)} p WHERE len({items}) > 0"
    )


def _document(connection: duckdb.DuckDBPyConnection, lines: Sequence[tuple[str, Told, bool]]) -> None:
    """`etl.deidentification`: what became of every column of every table."""
    connection.execute(
        f"CREATE TABLE {COPY}.etl.deidentification (table_name VARCHAR, column_name VARCHAR, path VARCHAR, "
        "treatment VARCHAR, became VARCHAR, reason VARCHAR, has_data BOOLEAN)"
    )
    rows: list[list[object]] = [[t, w.column, w.path, w.treatment.value, w.became, w.why, data] for t, w, data in lines]
    rows += [[name, "*", "", "dropped", "", why, None] for name, why in _WHOLE.items()]
    columns = [list(column) for column in zip(*rows, strict=True)]
    connection.execute(
        f"INSERT INTO {COPY}.etl.deidentification SELECT unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), "
        "unnest(?), unnest(?::BOOLEAN[])",
        columns,
    )


def _about(connection: duckdb.DuckDBPyConnection, policy: ResearchPolicy, today: date) -> None:
    """`etl.about`: how the copy was made, and what it is."""
    connection.execute(
        f"CREATE TABLE {COPY}.etl.about AS SELECT {text(policy.method)} AS method, {text(policy.ids)} AS ids, "
        f"{text(statement(policy))} AS statement, DATE '{today.isoformat()}' AS ages_on, "
        f"{'true' if policy.weekdays else 'false'} AS weekdays_kept, {text(version('clinmart'))} AS clinmart_version"
    )
