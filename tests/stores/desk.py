"""What tests of the stores share: versions of resources as values, a small mart to commit them to, and the fold over K.

The fold says in plain Python what a mart must hold after any loads of the same versions.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import duckdb
import polars as pl

from schemas.records import Counts, LoadReport, Partition, Receipt, StagedUnit
from schemas.tables.medication import MEDICATION
from stores.commit import commit
from stores.ddl import statements
from stores.staging import Stage

T0 = datetime(2024, 1, 1, tzinfo=UTC)
TYPES = {MEDICATION.name: MEDICATION}

Row: TypeAlias = tuple[
    str, str, str, "str | None", datetime, int, bytes
]  # source, type, id, version, time, nanos, hash


def at(seconds: float) -> datetime:
    """So many seconds after the beginning of time."""
    return T0 + timedelta(seconds=seconds)


@dataclass(frozen=True)
class Version:
    """One version of a resource as it arrives: ``time`` is its `meta.lastUpdated`, or when it was seen."""

    id: str = "a"
    body: str = "x"
    version_id: str | None = None
    time: datetime = T0
    nanos: int = 0
    type: str = "Medication"
    status: str | None = None

    @property
    def content_hash(self) -> bytes:
        """The hash of what a line of this version would hold."""
        return hashlib.sha256(f"{self.type}/{self.id}/{self.version_id}/{self.body}".encode()).digest()

    def row(self, source: str) -> Row:
        """What is compared of it."""
        return source, self.type, self.id, self.version_id, self.time, self.nanos, self.content_hash


def fold(arrived: Iterable[tuple[str, Version]]) -> tuple[set[Row], set[Row]]:
    """Current rows and history of (source, version) pairs: of equal contents the latest, then the greatest K."""
    contents: dict[tuple[str, str, str], dict[bytes, Row]] = defaultdict(dict)
    for source, version in arrived:
        row = version.row(source)
        same = contents[row[:3]]
        known = same.get(version.content_hash)
        if known is None or known[4:6] < row[4:6]:
            same[version.content_hash] = row
    main, history = set(), set()
    for rows in contents.values():
        *older, newest = sorted(rows.values(), key=_order)
        main.add(newest)
        history.update(older)
    return main, history


def _order(row: Row) -> tuple[datetime, int, int, int, str, bytes]:
    *_, version, time, nanos, content_hash = row
    if version is None:
        return time, nanos, 0, 0, "", content_hash
    if version.isascii() and version.isdigit():
        return time, nanos, 1, int(version), version, content_hash
    return time, nanos, 2, 0, version, content_hash


@dataclass
class Desk:
    """A mart in memory with one table and ``resource``; each :meth:`load` is a load with one commit."""

    folder: Path
    connection: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)
    made: bool = False  # the connection's database is a mart already

    def __post_init__(self) -> None:
        self.connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
        for statement in () if self.made else statements([MEDICATION]):
            self.connection.execute(statement)
        self._loads = itertools.count(1)

    def load(self, *files: Sequence[Version], source: str = "s") -> Counts:
        """Commit the files in one unit; the counts over all types."""
        report = self.report(source)
        stage = Stage(self.folder / "mart", report.load_id)
        unit = staged(stage, files)
        commit(self.connection, unit, report, TYPES)
        stage.close()
        assert all(c.balanced() for c in report.resources.values()), report.resources
        return report.total()

    def report(self, source: str = "s") -> LoadReport:
        """The empty report of a further load."""
        return LoadReport(f"load-{next(self._loads):03d}", source, T0, T0)

    def main(self) -> set[Row]:
        """Current rows; fails when an identity is there twice."""
        rows = self._rows("main")
        assert len({row[:3] for row in rows}) == len(rows)
        return set(rows)

    def history(self) -> set[Row]:
        """Earlier versions; fails when one is there twice."""
        rows = self._rows("history")
        assert len(set(rows)) == len(rows)
        return set(rows)

    def current(self, identity: str = "a") -> str | None:
        """The versionId of the current medication of this id."""
        rows = self.connection.execute("SELECT version_id FROM main.medication WHERE id = ?", [identity]).fetchall()
        assert len(rows) == 1
        return None if rows[0][0] is None else str(rows[0][0])

    def _rows(self, schema: str) -> list[Row]:
        rest = "id, version_id, last_updated, last_updated_nanos, content_hash"
        return self.connection.execute(
            f"SELECT source, 'Medication', {rest} FROM {schema}.medication "
            f"UNION ALL SELECT source, type, {rest} FROM {schema}.resource"
        ).fetchall()


def staged(stage: Stage, files: Sequence[Sequence[Version]]) -> StagedUnit:
    """The files as they stand in the staging area, each with its receipt."""
    unit = StagedUnit()
    for number, versions in enumerate(files):
        unit.tables += stage.write_tables(frames(versions))
        partition = Partition(f"/in/{number}.ndjson", size=len(versions))
        counts: dict[str, Counts] = {}
        for version in versions:
            counts.setdefault(version.type, Counts()).read += 1
        digest = hashlib.sha256(repr(versions).encode()).digest()
        unit.receipts.append(Receipt(partition, digest, len(versions), T0, False, counts))
    return unit


def frames(versions: Sequence[Version]) -> dict[str, pl.DataFrame]:
    """Accepted rows by table, as a worker makes them: columns that are null throughout are left out."""
    made = {}
    for table in ("medication", "resource"):
        rows = [v for v in versions if (v.type == "Medication") == (table == "medication")]
        columns: dict[str, pl.Series] = {
            "id": pl.Series([v.id for v in rows], dtype=pl.String),
            "version_id": pl.Series([v.version_id for v in rows], dtype=pl.String),
            "last_updated": pl.Series([v.time for v in rows], dtype=pl.Datetime("us", "UTC")),
            "last_updated_nanos": pl.Series([v.nanos for v in rows], dtype=pl.Int16),
            "content_hash": pl.Series([v.content_hash for v in rows], dtype=pl.Binary),
        }
        if table == "resource":
            columns["type"] = pl.Series([v.type for v in rows], dtype=pl.String)
            columns["json"] = pl.Series([v.body for v in rows], dtype=pl.String)
        elif any(v.status for v in rows):
            columns["status"] = pl.Series([v.status for v in rows], dtype=pl.String)
        if rows:
            made[table] = pl.DataFrame(columns)
    return made
