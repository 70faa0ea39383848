"""Who is asked for: the Patient resources of a mart by id or identifier, and the values that tell who they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import duckdb

from schemas.suppression import PERSON
from stores.sql import STORED, STORED_HISTORY, STORED_PATCH, quoted
from stores.stored import stored_columns

SHORTEST = 5  # bytes of a value that is looked for in files: shorter ones turn up in any file by chance
_WORD = re.compile(r"\w", re.ASCII)


@dataclass(frozen=True, slots=True)
class Asked:
    """One person as asked for: by id (of one ``source``, or any), or by an identifier (of one ``system``, or any)."""

    id: str | None = None
    source: str | None = None
    system: str | None = None
    value: str | None = None


Person = tuple[str, str]  # source and id of a Patient


@dataclass(frozen=True, slots=True)
class Values:
    """What tells who people are: ``sure`` are ids and identifiers, ``likely`` names, addresses, phone numbers and such,
    which they may share with others.
    """

    sure: frozenset[str] = field(default_factory=frozenset)
    likely: frozenset[str] = field(default_factory=frozenset)
    identifiers: frozenset[tuple[str, str]] = field(default_factory=frozenset)  # source and value


def find_people(connection: duckdb.DuckDBPyConnection, asked: Sequence[Asked]) -> tuple[set[Person], list[Asked]]:
    """The Patients asked for, with all that their links say are the same person; and whom the mart does not know."""
    known = _known(connection, [one.id for one in asked if one.id is not None])
    people: set[Person] = set()
    unknown = []
    for one in asked:
        if one.id is not None:
            found = {p for p in known if p[1] == one.id and one.source in (None, p[0])}
        else:
            found = _with_identifier(connection, one)
        people |= found
        if not found:
            unknown.append(one)
    while more := _linked(connection, people) - people:
        people |= more
    return people, unknown


def _known(connection: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> set[Person]:
    """The Patients of these ids of which the mart has anything, be it only a row that refers to one."""
    places = [
        f"SELECT source, patient_id AS id FROM {schema}.{quoted(table)}"
        for (schema, table), columns in stored_columns(connection).items()
        if "patient_id" in columns
    ]
    places += [f"SELECT source, id FROM {schema}.patient" for schema in _schemas(connection)]
    places.append(f"SELECT source, resource_id AS id FROM etl.quarantine WHERE resource_type = '{PERSON}'")
    places.append(f"SELECT source, id FROM etl.tombstone WHERE resource_type = '{PERSON}'")
    places.append("SELECT source, patient_id AS id FROM main.hl7_segment")
    places.append("SELECT source, patient_id AS id FROM main.document_section")
    rows = connection.execute(
        f"SELECT DISTINCT source, id FROM ({' UNION ALL '.join(places)}) WHERE id IN (SELECT unnest(?))", [list(ids)]
    ).fetchall()
    return {(source, ident) for source, ident in rows}


def _schemas(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The schemas that have a table of patients of their own."""
    there = stored_columns(connection)
    return [schema for schema in (STORED, STORED_HISTORY, STORED_PATCH) if (schema, "patient") in there]


def _with_identifier(connection: duckdb.DuckDBPyConnection, one: Asked) -> set[Person]:
    found: set[Person] = set()
    for schema in ("main", "history"):
        rows = connection.execute(
            f"SELECT DISTINCT source, id FROM {schema}.patient WHERE ($source IS NULL OR source = $source) AND "
            "len(list_filter(identifiers, lambda i: i.value = $value AND ($system IS NULL OR i.system = $system))) > 0",
            {"source": one.source, "value": one.value, "system": one.system},
        ).fetchall()
        found |= {(source, ident) for source, ident in rows}
    return found


def _linked(connection: duckdb.DuckDBPyConnection, people: Iterable[Person]) -> set[Person]:
    """The Patients that are linked with these, either way (FHIR R4 8.1.4: they are the same person)."""
    rows = connection.execute(
        "SELECT DISTINCT source, id, l.other_id FROM ("
        "SELECT source, id, unnest(links) AS l FROM main.patient UNION ALL "
        "SELECT source, id, unnest(links) AS l FROM history.patient) WHERE l.other_type = ? AND l.other_id IS NOT NULL",
        [PERSON],
    ).fetchall()
    asked, found = set(people), set()
    for source, ident, other in rows:
        if (source, ident) in asked:
            found.add((source, other))
        if (source, other) in asked:
            found.add((source, ident))
    return found


def values_of(connection: duckdb.DuckDBPyConnection, people: Iterable[Person]) -> Values:
    """What the mart knows these people by."""
    wanted = set(people)
    sure, likely, identifiers = {ident for _, ident in wanted}, set(), set()
    for schema in ("main", "history"):
        rows = connection.execute(
            "SELECT source, id, list_transform(identifiers, lambda i: i.value), names, "
            "list_transform(telecoms, lambda t: t.value), addresses FROM "
            f"{schema}.patient WHERE id IN (SELECT unnest(?))",
            [sorted(ident for _, ident in wanted)],
        ).fetchall()
        for source, ident, values, names, telecoms, addresses in rows:
            if (source, ident) not in wanted:
                continue
            identifiers |= {(source, value) for value in values or () if value}
            likely |= {value for value in telecoms or () if value}
            likely |= {form for name in names or () if name for form in _forms(name)}
            likely |= {line for address in addresses or () if address for line in _lines(address)}
    sure |= {value for _, value in identifiers}
    kept = {value for value in likely - sure if len(value.encode()) >= SHORTEST and _WORD.search(value)}
    return Values(frozenset(sure), frozenset(kept), frozenset(identifiers))


def _forms(name: dict[str, object]) -> set[str]:
    """A name as it may be written: text, given and family in both orders, as HL7 v2 writes it."""
    family, given, text = name.get("family"), name.get("given"), name.get("text")
    first = given[0] if isinstance(given, list) and given else given
    found = {str(text)} if text else set()
    if family and first:
        found |= {f"{first} {family}", f"{family}, {first}", f"{family}^{first}"}
    return found


def _lines(address: dict[str, object]) -> set[str]:
    lines, text = address.get("line"), address.get("text")
    found = {str(line) for line in lines if line} if isinstance(lines, list) else {str(lines)} if lines else set()
    return found | ({str(text)} if text else set())
