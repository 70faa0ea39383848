"""Messages kept whole: found again by their sender's name for them, within a source."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from schemas.tables import all_tables
from stores.mart import Mart
from stores.messages import KeptMessage, Known, keep, kept_before

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def _message(control_id: str, payload: bytes = b"MSH") -> KeptMessage:
    return KeptMessage(("LAB", "HOSP", control_id), payload.ljust(32)[:32], NOW, payload, int(control_id))


@pytest.fixture
def mart(tmp_path: Path) -> Mart:
    """An empty mart."""
    made = Mart(tmp_path / "m")
    made.prepare(all_tables())
    return made


def test_a_message_is_found_by_its_key(mart: Mart) -> None:
    """With its digest; not by another sender's, nor in another source."""
    with mart.connect() as connection:
        keep(connection, "s", "load", [_message("1"), _message("2", b"\x00\xff")])
        keep(connection, "s", "load", [])
        keys = [("LAB", "HOSP", "1"), ("LAB", "ELSE", "1"), ("LAB", "HOSP", "3")]
        assert kept_before(connection, "s", keys) == {keys[0]: Known(b"MSH".ljust(32))}
        assert kept_before(connection, "t", keys) == {}
        assert kept_before(connection, "s", []) == {}
        rows = connection.execute("SELECT control_id, received_at, payload FROM etl.message ORDER BY 1").fetchall()
    assert [(name, at.astimezone(UTC), data) for name, at, data in rows] == [
        ("1", NOW, b"MSH"),
        ("2", NOW, b"\x00\xff"),
    ]


def test_a_mart_of_before_gets_the_table(mart: Mart) -> None:
    """A mart that a clinmart without listener made is brought up to date when it is next opened to load."""
    with mart.connect() as connection:
        connection.execute("DROP TABLE etl.message")
        connection.execute("UPDATE etl.mart SET models = 'before'")
    with pytest.raises(duckdb.CatalogException), mart.connect() as connection:
        kept_before(connection, "s", [])
    mart.prepare(all_tables())
    with mart.connect() as connection:
        assert kept_before(connection, "s", [("LAB", "HOSP", "1")]) == {}
