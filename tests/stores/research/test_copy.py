"""Copies for analysts: nothing of a person comes through, and what comes through is what was promised."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from schemas.research import Method, ResearchPolicy, Treatment, Wish
from schemas.table import Table
from schemas.tables import all_tables
from schemas.tables.patient import PATIENT
from stores.ddl import statements
from stores.research.anonymity import anonymity
from stores.research.copy import COPY, statement, units_of, write_copy
from stores.research.decide import decide
from stores.research.decision import told
from stores.research.macros import make_macros
from stores.research.zip3 import restricted
from stores.sql import STORED, quoted

KEY = b"k" * 32
TODAY = date(2026, 6, 15)
CANARY = "Qanary Zzyzx"  # in every text
DAY = "1987-03-14"  # in every date


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute("SET TimeZone = 'UTC'")
        for statement_ in statements(()):
            opened.execute(statement_)
        yield opened


def _value(name: str, dtype: str) -> str:
    """What stands in a column; harmonised units are never anybody's words."""
    return "'mg/dL'" if name.endswith("harmonized_unit") else _planted(dtype)


def _planted(dtype: str) -> str:
    """An SQL value of a type that says who it is in every part of it."""
    if dtype.endswith("[]"):
        return f"[{_planted(dtype[:-2])}]"
    if dtype.startswith("STRUCT("):
        return "{" + ", ".join(f'"{n}": {_value(n, k)}' for n, k in _fields(dtype).items()) + "}"
    return {
        "VARCHAR": f"'{CANARY}'",
        "DATE": f"DATE '{DAY}'",
        "TIMESTAMP WITH TIME ZONE": f"TIMESTAMPTZ '{DAY} 03:14:15+00'",
        "BLOB": f"encode('{CANARY}')",
        "BOOLEAN": "true",
        "SMALLINT": "7::SMALLINT",
        "BIGINT": "7::BIGINT",
        "DOUBLE": "7.5::DOUBLE",
    }[dtype]


def _fields(dtype: str) -> dict[str, str]:
    found, depth, start, body = {}, 0, 0, dtype[7:-1] + ","
    for place, letter in enumerate(body):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            name, kind = body[start:place].strip().split(" ", 1)
            found[name.strip('"')] = kind
            start = place + 1
    return found


def _plant(connection: duckdb.DuckDBPyConnection, table: Table, **told_: str) -> None:
    """A stored table of one row in which every column says who it is, but for those ``told_``."""
    values = [f"{told_.get(c.name, _value(c.name, c.dtype))} AS {quoted(c.name)}" for c in table.columns()]
    connection.execute(f"CREATE TABLE {STORED}.{quoted(table.name)} AS SELECT {', '.join(values)}")
    connection.execute(f"CREATE VIEW main.{quoted(table.name)} AS SELECT * FROM {STORED}.{quoted(table.name)}")


@pytest.mark.parametrize("method", Method)
def test_nothing_comes_through(connection: duckdb.DuckDBPyConnection, tmp_path: Path, method: Method) -> None:
    """Every text, date and identifier of every column of every model is a canary: no byte of the copy has one."""
    few = ("patient", "observation", "appointment", "claim", "location")  # all kinds of columns; all tables take long
    tables = [table for table in all_tables() if method is Method.SAFE_HARBOR or table.name in few]
    for table in tables:
        _plant(connection, table)
    connection.execute(f"ATTACH '{tmp_path / 'r.duckdb'}' AS {COPY}")
    policy = ResearchPolicy(method=method)
    rows = write_copy(connection, tables, policy, KEY, TODAY, units_of(connection, ()))
    anonymity(connection, {}, rows)
    assert rows == {table.name: 1 for table in tables}
    types = connection.execute(
        f"SELECT table_name || '.' || column_name, data_type FROM duckdb_columns() WHERE database_name = '{COPY}' "
        "AND schema_name = 'main'"
    ).fetchall()
    assert len(types) > 200
    for name, dtype in types:
        assert "BLOB" not in dtype, name
        if method is Method.SAFE_HARBOR:
            assert "DATE" not in dtype and "TIME" not in dtype, name
    connection.execute(f"USE {COPY}")
    for table in tables:
        text = repr(connection.execute(f"SELECT * EXCLUDE (source) FROM main.{quoted(table.name)}").fetchall())
        for bad in (CANARY, "Qanary", "Zzyzx", "datetime.date(1987, 3, 14)", "datetime.datetime(1987, 3, 14"):
            assert bad not in text, (table.name, bad)
    connection.execute("USE memory")
    connection.execute(f"DETACH {COPY}")
    connection.execute(f"ATTACH '{tmp_path / 'r.duckdb'}' AS again (READ_ONLY)")
    told_ = connection.execute("SELECT count(*) FROM again.etl.deidentification WHERE has_data").fetchall()
    assert told_ == [(sum(len(list(told(decide(t, policy)))) for t in tables),)]


def test_every_column_is_decided() -> None:
    """Each column of each model has exactly one decision; nothing flagged as PHI is kept as it is."""
    for table in all_tables():
        for method in Method:
            lines = list(told(decide(table, ResearchPolicy(method=method))))
            assert sorted(w.column for w in lines if "[" not in w.column) == sorted(table.column_names())
            made = [m.name for d in decide(table, ResearchPolicy(method=method)) for m in d.made]
            assert len({*made}) == len(made), table.name
        phi = {c.name for c in table.columns() if c.phi}
        assert not [w.column for w in lines if w.column in phi and w.treatment is Treatment.KEPT], table.name


def _macros(connection: duckdb.DuckDBPyConnection, **wanted: object) -> None:
    make_macros(connection, ResearchPolicy(**wanted), KEY, TODAY, ["mg/dL"])  # type: ignore[arg-type]


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> object:
    ((value,),) = connection.execute(f"SELECT {sql}").fetchall()
    return value


def test_ids_are_hmac(connection: duckdb.DuckDBPyConnection) -> None:
    """An id is the HMAC-SHA256 (RFC 2104) of source and id, told apart by their lengths; no key, no id."""
    _macros(connection)
    for source, ident in (("epic", "p1"), ("épic", "ü-9"), ("ep", "icp1"), ("", "x")):
        message = f"id:{len(source.encode())}:{source}{ident}".encode()
        expected = hmac.new(KEY, message, hashlib.sha256).hexdigest()[:32]
        assert _one(connection, f"research_id('{source}', '{ident}')") == expected
    assert _one(connection, "research_id('epic', NULL)") is None
    first = _one(connection, "research_id('epic', 'p1')")
    make_macros(connection, ResearchPolicy(), b"other" * 6 + b"xx", TODAY, [])
    assert _one(connection, "research_id('epic', 'p1')") != first


@pytest.mark.parametrize("weekdays", [False, True])
def test_shifts(connection: duckdb.DuckDBPyConnection, weekdays: bool) -> None:
    """Each patient's days lie within the bound, are never none, differ between patients and may keep weekdays."""
    _macros(connection, weekdays=weekdays, most_days=100)
    days = [d for (d,) in connection.execute("SELECT research_days('s', i::VARCHAR) FROM range(2000) r(i)").fetchall()]
    assert min(days) >= -100
    assert max(days) <= 100
    assert 0 not in days
    assert len({*days}) == (28 if weekdays else 200)
    assert not weekdays or all(d % 7 == 0 for d in days)
    assert abs(sum(days) / len(days)) < 10  # both ways alike


def test_dates(connection: duckdb.DuckDBPyConnection) -> None:
    """Shifted dates keep their distance; partial ones stay partial; what is older than 90 years goes."""
    _macros(connection)
    assert (
        _one(connection, "research_day(DATE '2024-02-28', 'day', 2) - research_day(DATE '2024-01-28', 'day', 2)") == 31
    )
    assert _one(connection, "research_day(DATE '2024-01-01', 'year', 30)") == date(2024, 1, 1)
    assert _one(connection, "research_day(DATE '2024-03-01', 'month', -40)") == date(2024, 2, 1)
    assert _one(connection, "research_day(DATE '2024-03-01', 'day', NULL)") is None
    assert _one(connection, "research_year(DATE '2024-03-01')") == 2024
    assert _one(connection, "research_year(DATE '1936-06-14')") is None
    assert _one(connection, "research_year(DATE '1936-06-15')") == 1936


@pytest.mark.parametrize(
    ("born", "died", "precision", "year", "old"),
    [
        ("1936-06-16", None, None, 1936, False),  # 90 tomorrow
        ("1936-06-15", None, None, None, True),
        ("1900-01-01", "1970-05-05", "day", 1900, False),  # died at 70
        ("1900-01-01", "1990-01-01", "day", None, True),
        ("1900-06-01", "1990-01-01", "year", None, True),  # may have died at 90
        (None, None, None, None, None),
    ],
)
def test_ages(
    connection: duckdb.DuckDBPyConnection, born: str, died: str, precision: str, year: int, old: bool
) -> None:
    """The year of birth goes where it tells an age over 89, at death or on the day of the copy."""
    _macros(connection)
    life = ", ".join("NULL" if x is None else f"'{x}'" for x in (born, died, precision))
    life = ", ".join(part if n == 2 else f"{part}::DATE" for n, part in enumerate(life.split(", ")))
    assert _one(connection, f"research_birth_year({life})") == year
    assert _one(connection, f"research_old({life})") == old


def test_vocabularies(connection: duckdb.DuckDBPyConnection) -> None:
    """Codes of public systems, known units, states and countries stay; others, and what looks like a person, go."""
    _macros(connection, code_systems=("urn:local",))
    kept = {
        "research_code('http://loinc.org', '4548-4')": "4548-4",
        "research_code('urn:local', 'X1')": "X1",
        "research_code('http://loinc.org', 'John Smith')": None,
        "research_code('http://hospital.example/codes', 'X1')": None,
        "research_code('http://hl7.org/fhir/sid/us-ssn', '123-45-6789')": None,
        "research_code('http://hl7.org/fhir/sid/icd-10-cm', 'E11.9')": "E11.9",
        "research_code(NULL, 'X1')": None,
        "research_unit('mg/dL')": "mg/dL",
        "research_unit('John')": None,
        "research_unit(NULL)": None,
        "research_type('Practitioner')": "Practitioner",
        "research_type('Smith')": None,
        "research_state('Texas')": "Texas",
        "research_state('MA')": "MA",
        "research_state('Springfield')": None,
        "research_country('US')": "US",
        "research_country('Springfield')": None,
        "research_zip3('02139')": "021",
        "research_zip3('02139-4307')": "021",
        "research_zip3('03601')": "000",
        "research_zip3('SW1A 1AA')": None,
    }
    assert {sql: _one(connection, sql) for sql in kept} == kept
    assert {"036", "059", "102", "203", "556", "692", "063", "893"} < restricted()


def test_policy_of_columns(connection: duckdb.DuckDBPyConnection) -> None:
    """A policy may drop what the rules keep, and keep what they drop; the second is said aloud."""
    policy = ResearchPolicy(columns={"patient.gender": Wish.DROP, "patient.name_family": Wish.KEEP})
    became = {w.column: w for w in told(decide(PATIENT, policy))}
    assert became["gender"].treatment is Treatment.DROPPED
    assert became["name_family"].treatment is Treatment.KEPT
    assert "AGAINST" in became["name_family"].why
    assert "not Safe Harbor" in statement(policy)
    assert "not Safe Harbor" not in statement(ResearchPolicy())
    assert "NOT a Safe Harbor" in statement(ResearchPolicy(method=Method.SHIFTED_DATES))


def test_anonymity(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """The classes of k are counted by people, and no value is in the report."""
    connection.execute(f"ATTACH '{tmp_path / 'r.duckdb'}' AS {COPY}")
    connection.execute(f"CREATE SCHEMA {COPY}.etl")
    connection.execute(
        f"CREATE TABLE {COPY}.main.patient AS SELECT 's' AS source, i::VARCHAR AS id, "
        "CASE WHEN i < 6 THEN 1950 WHEN i < 8 THEN 1960 ELSE 1961 + i END AS birth_year FROM range(10) r(i)"
    )
    connection.execute(
        f"CREATE TABLE {COPY}.main.condition AS SELECT 's' AS source, i::VARCHAR AS id, 'p' || i % 2 AS patient_id, "
        "'E11' AS code FROM range(8) r(i)"
    )
    patients, conditions = anonymity(connection, {"condition": ["code"]}, {"patient": 10, "condition": 8})
    assert (patients.smallest, conditions.smallest) == (1, 2)
    assert [(g.least, g.most, g.classes, g.patients) for g in patients.groups] == [
        (1, 1, 2, 2),
        (2, 2, 1, 2),
        (5, 9, 1, 6),
    ]
    assert [(g.classes, g.patients, g.rows) for g in conditions.groups] == [(1, 2, 8)]
    assert "1950" not in str(patients.as_dict())
    assert "E11" not in str(conditions.as_dict())
