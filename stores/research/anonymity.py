"""How many people share the same quasi-identifiers (k-anonymity, Samarati and Sweeney 1998), without telling which.

Of a table the classes are the combinations of values of its quasi-identifiers, and k of a class is the number of
patients in it. Values are never told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import duckdb

from schemas.errors import UsageError
from stores.research.copy import COPY
from stores.sql import quoted, text

# What outsiders may know of a person, by table; columns that the copy does not have are left out.
QUASI_IDENTIFIERS: Mapping[str, Sequence[str]] = {
    "patient": (
        "birth_year", "age_90_or_over", "gender", "race", "ethnicity", "marital_status", "deceased_boolean",
        "deceased_year", "address_state", "address_zip3", "multiple_birth_number",
    ),
    "encounter": ("class", "period_start_year", "period_start_date"),
    "condition": ("code", "onset_year", "onset_date"),
    "procedure": ("code", "performed_year", "performed_date"),
}  # fmt: skip
_BOUNDS = (1, 2, 3, 5, 10, 20, 50)  # where the groups of k begin


@dataclass(frozen=True, slots=True)
class Group:
    """The classes of a table whose k lies from ``least`` to ``most`` (None: without end)."""

    least: int
    most: int | None
    classes: int
    patients: int
    rows: int


@dataclass(frozen=True, slots=True)
class Anonymity:
    """How alike the people of a table are; ``smallest`` is k of the whole table."""

    table: str
    columns: Sequence[str]
    smallest: int
    groups: Sequence[Group]

    def as_dict(self) -> dict[str, object]:
        """For ``--json``."""
        groups = [{"k_from": g.least, "k_to": g.most, "classes": g.classes, "patients": g.patients, "rows": g.rows}
                  for g in self.groups]  # fmt: skip
        return {"table": self.table, "quasi_identifiers": [*self.columns], "k": self.smallest, "groups": groups}


def anonymity(
    connection: duckdb.DuckDBPyConnection, declared: Mapping[str, Sequence[str]], rows: Mapping[str, int]
) -> list[Anonymity]:
    """The report on the copy, for the tables that have rows; it is written to `etl.anonymity` too.

    ``declared`` goes before the defaults. UsageError for columns that the copy does not have.
    """
    found = []
    for table, columns in {**QUASI_IDENTIFIERS, **declared}.items():
        if table in rows:
            there = _columns(connection, table)
            if table in declared and (missing := [name for name in columns if name not in there]):
                raise UsageError(
                    f"quasi_identifiers of {table}: the copy has no column {missing[0]!r} there: take it out"
                )
            if kept := [name for name in columns if name in there]:
                found.append(_of(connection, table, kept, "id" if table == "patient" else "patient_id", there))
    _write(connection, found)
    return found


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    query = (
        "SELECT column_name FROM duckdb_columns() WHERE database_name = ? AND schema_name = 'main' AND table_name = ?"
    )
    return [name for (name,) in connection.execute(query, [COPY, table]).fetchall()]


def _of(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str], person: str, there: Sequence[str]
) -> Anonymity:
    who = f"count(DISTINCT (source, {person}))" if person in there else "count(*)"
    named = ", ".join(map(quoted, columns))
    classes = f"SELECT {who} AS k, count(*) AS n FROM {COPY}.main.{quoted(table)} GROUP BY {named}"
    groups = []
    for least, after in (*pairwise(_BOUNDS), (_BOUNDS[-1], None)):
        to = "" if after is None else f" AND k < {after}"
        row = connection.execute(
            f"SELECT count(*), coalesce(sum(k), 0), coalesce(sum(n), 0) FROM ({classes}) WHERE k >= {least}{to}"
        ).fetchall()[0]
        if row[0]:
            groups.append(Group(least, None if after is None else after - 1, int(row[0]), int(row[1]), int(row[2])))
    ((smallest,),) = connection.execute(f"SELECT coalesce(min(k), 0) FROM ({classes})").fetchall()
    return Anonymity(table, columns, int(smallest), groups)


def _write(connection: duckdb.DuckDBPyConnection, found: Sequence[Anonymity]) -> None:
    connection.execute(
        f"CREATE TABLE {COPY}.etl.anonymity (table_name VARCHAR, quasi_identifiers VARCHAR[], k_from BIGINT, "
        "k_to BIGINT, classes BIGINT, patients BIGINT, rows BIGINT)"
    )
    for one in found:
        for group in one.groups:
            columns = "[" + ", ".join(text(name) for name in one.columns) + "]"
            connection.execute(
                f"INSERT INTO {COPY}.etl.anonymity VALUES (?, {columns}, ?, ?, ?, ?, ?)",
                [one.table, group.least, group.most, group.classes, group.patients, group.rows],
            )
