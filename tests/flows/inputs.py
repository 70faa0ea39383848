"""Small inputs for loads, and a look into the mart they made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

UPDATED = "2024-01-01T00:00:00Z"


class Outcome(NamedTuple):
    """What a run of the command line came to."""

    code: int
    out: bytes
    err: str

    @property
    def json(self) -> Any:
        """The one JSON object on stdout; fails when there is anything else."""
        assert self.out.count(b"\n") == 1, self.out
        return json.loads(self.out)


def medication(identity: str, text: str = "x", *, updated: str | None = UPDATED, **more: object) -> bytes:
    """A valid Medication in JSON, without a line end."""
    meta = {"meta": {"versionId": "1", "lastUpdated": updated}} if updated else {}
    resource = {"resourceType": "Medication", "id": identity, **meta, "code": {"text": text}, **more}
    return json.dumps(resource).encode()


def write(path: Path, *lines: bytes) -> Path:
    """A file of these lines, each with its line feed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def query(mart: Path, sql: str) -> list[tuple[Any, ...]]:
    """The rows that the mart gives."""
    with duckdb.connect(str(mart), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(sql).fetchall()


def contents(mart: Path) -> dict[str, list[str]]:
    """All rows of main, history and quarantine but for what names a load or its time, as sorted text."""
    found = {}
    with duckdb.connect(str(mart), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        names = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema IN ('main', 'history') "
            "OR table_name = 'quarantine' ORDER BY ALL"
        ).fetchall()
        for schema, table in names:
            kept = "COLUMNS(lambda c: c NOT IN ('load_id', 'superseded_by', 'quarantined_at', 'as_of'))"
            rows = connection.execute(f'SELECT {kept} FROM {schema}."{table}"').fetchall()
            found[f"{schema}.{table}"] = sorted(map(repr, rows))
    return found
