"""What of a person is found, in columns and in files, and what only looks like it."""

from __future__ import annotations

import gzip
from pathlib import Path

import duckdb
import pytest

from stores.people import Values
from stores.residue import Residue, look_in_blocks, look_in_files, look_in_mart, without_shared

HER = Values(frozenset({"pat-1", "no.4711", "p9"}), frozenset({"José Ö'Quix", "5 Old Rd"}))


@pytest.fixture
def mart(tmp_path: Path) -> duckdb.DuckDBPyConnection:
    """A database with text in every kind of column."""
    connection = duckdb.connect(str(tmp_path / "m.duckdb"))
    connection.execute(
        "CREATE TABLE t (source VARCHAR, plain VARCHAR, many VARCHAR[], deep STRUCT(a STRUCT(b VARCHAR)[]), raw BLOB, "
        "content_hash BLOB, number BIGINT)"
    )
    return connection


def found_in(connection: duckdb.DuckDBPyConnection, values: Values = HER) -> list[str]:
    """The places in which something is found."""
    residue = Residue()
    look_in_mart(connection, "m", values, {"s"}, residue)
    return residue.found


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ("plain := 'pat-1'", "main.t.plain"),
        ("plain := 'see Patient/pat-1, please'", "main.t.plain"),
        ("plain := 'pat-10'", None),
        ("plain := 'xpat-1'", None),
        ("plain := 'noX4711'", None),  # the dot is a dot
        ("plain := 'p9'", "main.t.plain"),
        ("plain := 'José Ö''Quix'", "main.t.plain"),
        ("many := ['x', 'no.4711']", "main.t.many"),
        ("deep := {'a': [{'b': 'by 5 Old Rd'}]}", "main.t.deep"),
        ("raw := encode('PID|1||pat-1^^^A')", "main.t.raw"),
        ("raw := encode('José Ö''Quix')", "main.t.raw"),
        ("content_hash := encode('pat-1')", None),
        ("source := 'another', plain := 'pat-1'", None),
    ],
)
def test_columns(mart: duckdb.DuckDBPyConnection, row: str, place: str | None) -> None:
    """As whole words, however deep, in rows of her source."""
    told = row if "source" in row else f"source := 's', {row}"
    mart.execute(f"INSERT INTO t BY NAME SELECT unnest(struct_pack({told}))")
    assert found_in(mart) == ([place] if place else [])


def test_files(tmp_path: Path) -> None:
    """Plain and gzip, also across the blocks that are read; short values are not looked for, and counted."""
    texts = {
        "a.log": b"xx pat-1 yy",
        "b.log": b"pat-10 p9 xpat-1",
        "c.gz": gzip.compress(b"{" + "José Ö'Quix".encode() + b"}"),
        "d.gz": b"\x1f\x8bcut short",
        "e.log": b"-" * (4 * 1024 * 1024 - 3) + b"no.4711 ",
    }
    for name, data in texts.items():
        (tmp_path / name).write_bytes(data)
    residue = Residue()
    look_in_files(sorted(tmp_path.iterdir()), HER, residue, lambda _: False)
    assert [Path(place).name for place in residue.found] == ["a.log", "c.gz", "e.log"]
    assert (residue.files, residue.short) == (5, 1)


def test_blocks_that_are_not_in_use_are_looked_at(tmp_path: Path) -> None:
    """A deleted row stands in the file until its blocks are written over; one that a column still has is no residue."""
    path = tmp_path / "m.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE t AS SELECT 'pat-10' AS id, 'other' AS more")
        connection.execute("CHECKPOINT")
        assert not look_in_blocks(connection, "m", path, HER)  # pat-1 stands in it, within pat-10
    with path.open("ab") as file:
        file.write(b"no.4711")
    with duckdb.connect(":memory:") as other:
        other.execute(f"ATTACH '{path}' AS m (READ_ONLY)")
        assert look_in_blocks(other, "m", path, HER)


def test_what_others_have_too_is_not_looked_for(mart: duckdb.DuckDBPyConnection) -> None:
    """A name or an address; ids and identifiers always are."""
    mart.execute("CREATE TABLE patient AS SELECT 's' AS source, [{'text': '5 Old Rd'}] AS addresses, [''] AS names")
    kept, shared = without_shared(mart, HER, "m")
    assert (kept.likely, shared) == (frozenset({"José Ö'Quix"}), 1)
    assert kept.sure == HER.sure
