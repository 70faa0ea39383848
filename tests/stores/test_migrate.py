"""Marts of older versions are brought to today's models without loss, or left as they are with a clear message."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from schemas.bookkeeping import BOOKKEEPING
from schemas.errors import StorageError, UsageError
from schemas.table import Column, Table
from schemas.tables.medication import MEDICATION
from stores.mart import Mart
from tests.stores.desk import Desk, Version, at

OLD = "STRUCT(code VARCHAR, amount STRUCT(v BIGINT, spare VARCHAR)[], gone VARCHAR)[]"
NEW = "STRUCT(unit VARCHAR, code VARCHAR, amount STRUCT(v BIGINT, literal VARCHAR)[])[]"


def _with(dtype: str) -> Table:
    """The model with a further column of this type."""
    element = replace(MEDICATION.elements[0], columns=(Column("parts", dtype, "Parts."),))
    return replace(MEDICATION, elements=(*MEDICATION.elements, element))


@dataclass
class Older:
    """A mart of one version with current and earlier rows, whose column ``parts`` has these values."""

    mart: Mart

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self.mart.connect(read_only=True) as connection:
            return connection.execute(sql).fetchall()


def _older(folder: Path, dtype: str, main: Sequence[str], history: str = "NULL") -> Older:
    """Current rows a, b, ... with the values ``main``, and an earlier version of a with ``history``."""
    mart = Mart(folder / "mart.duckdb")
    mart.prepare([_with(dtype)])
    with mart.connect() as connection:
        names = "abcdefgh"[: len(main)]
        Desk(folder, connection, made=True).load([Version(n) for n in names], [Version("a", body="y", time=at(-1))])
        for schema in ("stored", "stored_history"):
            connection.execute(f"ALTER TABLE {schema}.medication ADD COLUMN parts {dtype}")
        for name, value in zip(names, main, strict=True):
            connection.execute(f"UPDATE stored.medication SET parts = {value} WHERE id = '{name}'")
        connection.execute(f"UPDATE stored_history.medication SET parts = {history}")
        connection.execute("UPDATE etl.mart SET models = 'older'")
    return Older(mart)


def test_structs_get_new_fields(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Fields are found by their names at every depth, new ones are null, empty lists and nulls stay what they are."""
    full = "[{'code': 'c', 'amount': [{'v': 1, 'spare': NULL}, NULL], 'gone': NULL}, NULL]"
    older = _older(tmp_path, OLD, [full, "[]", "NULL"], "[{'code': 'h', 'amount': NULL, 'gone': NULL}]")
    with caplog.at_level(logging.WARNING):
        older.mart.prepare([_with(NEW)])
    made = {"unit": None, "code": "c", "amount": [{"v": 1, "literal": None}, None]}
    assert older.query("SELECT id, parts FROM main.medication ORDER BY id") == [
        ("a", [made, None]),
        ("b", []),
        ("c", None),
    ]
    assert older.query("SELECT parts FROM history.medication") == [
        ([{"unit": None, "code": "h", "amount": None}],),
    ]
    assert [record.getMessage().count("medication.parts") for record in caplog.records] == [1]
    caplog.clear()
    older.mart.prepare([_with(NEW)])
    assert not caplog.records


@pytest.mark.parametrize(
    ("main", "history"),
    [
        ("[{'code': 'c', 'amount': NULL, 'gone': 'secret'}]", "NULL"),
        ("NULL", "[{'code': 'c', 'amount': NULL, 'gone': 'secret'}]"),
    ],
)
def test_data_without_a_column_is_not_lost(tmp_path: Path, main: str, history: str) -> None:
    """A field that is gone from the model and had data: the mart is refused, as it was, and the value is not told."""
    older = _older(tmp_path, OLD, [main], history)
    with pytest.raises(UsageError, match=r"has data in medication\.parts\.gone") as refused:
        older.mart.prepare([_with(NEW)])
    assert "secret" not in str(refused.value)
    older.mart.prepare([_with(OLD)])
    kept = older.query("SELECT parts FROM main.medication") + older.query("SELECT parts FROM history.medication")
    assert "secret" in str(kept)


def test_data_deep_inside_is_not_lost(tmp_path: Path) -> None:
    """Lists in structs in lists are looked into; an empty struct is no data."""
    older = _older(tmp_path, OLD, ["[{'code': 'c', 'amount': [NULL, {'v': 1, 'spare': 'x'}], 'gone': NULL}]"])
    with pytest.raises(UsageError, match=r"has data in medication\.parts\.amount\.spare"):
        older.mart.prepare([_with(NEW)])


@pytest.mark.parametrize(
    ("old", "value", "new", "shown"),
    [
        ("SMALLINT", "7", "BIGINT", 7),
        ("BIGINT", "7", "SMALLINT", 7),
        ("BIGINT", "7", "VARCHAR", "7"),
        ("BIGINT", "NULL", "DATE", None),
        ("VARCHAR", "NULL", NEW, None),
    ],
)
def test_scalars_that_survive(tmp_path: Path, old: str, value: str, new: str, shown: object) -> None:
    """A type changes when every value comes back the same from it, or none is there."""
    older = _older(tmp_path, old, [value])
    older.mart.prepare([_with(new)])
    assert older.query("SELECT parts FROM main.medication") == [(shown,)]


@pytest.mark.parametrize(
    ("old", "value", "new"),
    [
        ("BIGINT", "70000", "SMALLINT"),
        ("VARCHAR", "'007'", "BIGINT"),
        ("DATE", "DATE '2024-01-01'", "TIMESTAMP WITH TIME ZONE"),
        ("VARCHAR", "'x'", NEW),
        (NEW, "[{'unit': 'u', 'code': NULL, 'amount': NULL}]", "VARCHAR"),
    ],
)
def test_scalars_that_would_not(tmp_path: Path, old: str, value: str, new: str) -> None:
    """Anything else is refused, with the column's name."""
    older = _older(tmp_path, old, [value])
    with pytest.raises(UsageError, match=r"another type for medication\.parts"):
        older.mart.prepare([_with(new)])
    assert older.query("SELECT typeof(parts) FROM stored.medication") == [
        (duckdb.sql(f"SELECT typeof(NULL::{old})").fetchall()[0][0],)
    ]


def test_bookkeeping_gets_new_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A column or a counted disposition that bookkeeping has today is added to what an older version wrote."""
    older = _older(tmp_path, "VARCHAR", ["'x'"])
    load, receipt = BOOKKEEPING["load"], BOOKKEEPING["receipt"]
    wider = tuple(replace(c, dtype=c.dtype.replace('"read"', '"late" BIGINT, "read"')) for c in receipt)
    monkeypatch.setitem(BOOKKEEPING, "load", (*load, Column("site", "VARCHAR", "Where.")))
    monkeypatch.setitem(BOOKKEEPING, "receipt", wider)
    with caplog.at_level(logging.WARNING):
        older.mart.prepare([_with("VARCHAR")])
    assert older.query("SELECT site FROM etl.load") == [(None,)]
    assert older.query("SELECT count(*), count(resources[1].late), min(resources[1].read) FROM etl.receipt") == [
        (2, 0, 1)
    ]
    assert "etl.load.site" in caplog.text
    assert "etl.receipt.resources" in caplog.text


def test_failure_in_the_middle_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The migration is one transaction."""
    older = _older(tmp_path, OLD, ["[{'code': 'c', 'amount': NULL, 'gone': NULL}]"])

    def broken(*_: object) -> None:
        raise duckdb.OutOfMemoryException("no room")

    with monkeypatch.context() as patched:
        patched.setattr("stores.mart.layout", broken)
        with pytest.raises(StorageError, match="no room"):
            older.mart.prepare([_with(NEW)])
    assert older.query("SELECT typeof(parts) FROM stored.medication") == [(OLD,)]
    older.mart.prepare([_with(NEW)])
