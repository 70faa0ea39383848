"""What tests of the stores share: versions of resources as values, a small mart to commit them to, and the fold over K.

The fold says in plain Python what a mart must hold after any loads of the same versions.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import duckdb
import polars as pl

from schemas.records import Counts, LoadReport, Partition, Receipt
from schemas.staged import StagedUnit
from schemas.table import TIMELESS
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
    deleted: bool = False
    timeless: bool = False  # ``time`` is only when it was seen

    @property
    def look(self) -> str:
        """What the mart holds of it: the status, or the JSON whatever the order of its keys."""
        if self.type == "Medication":
            return str(self.status)
        return json.dumps(json.loads(self.body), sort_keys=True) if self.body.startswith("{") else self.body

    @property
    def content_hash(self) -> bytes:
        """The hash of what a line of this version would hold."""
        if self.deleted:
            return hashlib.sha256(f"DELETE {self.type}/{self.id}/{self.version_id}/{self.body}".encode()).digest()
        return hashlib.sha256(f"{self.type}/{self.id}/{self.version_id}/{self.body}".encode()).digest()

    def row(self, source: str) -> Row:
        """What is compared of it."""
        return source, self.type, self.id, self.version_id, self.time, self.nanos, self.content_hash


@dataclass
class Fold:
    """What a mart must hold: current rows, history, and the deletes, each with whether it is the current version."""

    main: set[Row] = field(default_factory=set)
    history: set[Row] = field(default_factory=set)
    deletes: set[tuple[Row, bool]] = field(default_factory=set)


def fold(arrived: Iterable[tuple[str, Version]]) -> Fold:
    """The fold of (source, version) pairs over K: of equal contents the latest, then the greatest K."""
    looks: dict[tuple[str, bytes], str | None] = {}
    contents: dict[tuple[str, str, str], dict[tuple[bool, bytes], Row]] = defaultdict(dict)
    for source, version in arrived:
        row = version.row(source)
        same = contents[row[:3]]
        content = version.deleted, version.content_hash
        known = same.get(content)
        if known is None or known[4:6] < row[4:6]:
            same[content] = row
        looks[source, content[1]] = None if version.timeless or version.version_id is None else version.look
    made = Fold()
    for rows in contents.values():
        ordered = sorted(rows.items(), key=lambda item: _order(item[1], item[0][0]))
        kept = {(row[3:6], looks[row[0], row[6]]): row for (deleted, _), row in ordered if not deleted}
        for (deleted, _), row in ordered:
            newest = row == ordered[-1][1]
            look = looks[row[0], row[6]]
            if not deleted and look is not None and kept[row[3:6], look] != row:
                continue  # only written anew
            if deleted:
                made.deletes.add((row, newest))
            else:
                (made.main if newest else made.history).add(row)
    return made


def _order(row: Row, deleted: bool) -> tuple[datetime, int, int, int, str, bool, bytes]:
    *_, version, time, nanos, content_hash = row
    if version is None:
        return time, nanos, 0, 0, "", deleted, content_hash
    if version.isascii() and version.isdigit():
        return time, nanos, 1, int(version), version, deleted, content_hash
    return time, nanos, 2, 0, version, deleted, content_hash


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

    def deletes(self) -> set[tuple[Row, bool]]:
        """Every delete, with whether it is the current version; fails when one is there twice."""
        rows = self.connection.execute(
            "SELECT source, resource_type, id, version_id, last_updated, last_updated_nanos, content_hash, "
            "superseded_by IS NULL FROM etl.tombstone"
        ).fetchall()
        assert len({row[:7] for row in rows}) == len(rows)
        return {(row[:7], row[7]) for row in rows}

    def holds(self) -> Fold:
        """All of it, as the fold says it."""
        return Fold(self.main(), self.history(), self.deletes())

    def conflicts(self) -> list[tuple[str, str, str]]:
        """Type, id and code of what was found about versions, sorted."""
        return self.connection.execute(
            "SELECT resource_type, id, code FROM etl.validation WHERE code LIKE 'version\\_%' ESCAPE '\\' ORDER BY ALL"
        ).fetchall()

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
        unit.tables += stage.write_tables(frames([v for v in versions if not v.deleted]))
        unit.deletes += stage.write_deletes(deletes_frame([v for v in versions if v.deleted]))
        partition = Partition(f"/in/{number}.ndjson", size=len(versions))
        counts: dict[str, Counts] = {}
        for version in versions:
            unit.latest[version.type] = max(version.time, unit.latest.get(version.type, version.time))
            counts.setdefault(version.type, Counts()).read += 1
        digest = hashlib.sha256(repr(versions).encode()).digest()
        unit.receipts.append(Receipt(partition, digest, len(versions), T0, False, counts))
    return unit


def frames(versions: Sequence[Version]) -> dict[str, pl.DataFrame]:
    """Accepted rows by table, as a worker makes them: columns that are null throughout are left out."""
    made = {}
    for table in ("medication", "resource"):
        rows = [v for v in versions if (v.type == "Medication") == (table == "medication")]
        columns = _identity(rows)
        if table == "resource":
            columns["type"] = pl.Series([v.type for v in rows], dtype=pl.String)
            columns["json"] = pl.Series([v.body for v in rows], dtype=pl.String)
        elif any(v.status for v in rows):
            columns["status"] = pl.Series([v.status for v in rows], dtype=pl.String)
        if rows:
            made[table] = pl.DataFrame(columns)
    return made


def deletes_frame(versions: Sequence[Version]) -> pl.DataFrame:
    """Deletes as a worker makes them."""
    kinds = pl.Series([v.type for v in versions], dtype=pl.String)
    return pl.DataFrame({"resource_type": kinds, **_identity(versions)})


def _identity(versions: Sequence[Version]) -> dict[str, pl.Series]:
    return {
        "id": pl.Series([v.id for v in versions], dtype=pl.String),
        "version_id": pl.Series([v.version_id for v in versions], dtype=pl.String),
        "last_updated": pl.Series([v.time for v in versions], dtype=pl.Datetime("us", "UTC")),
        "last_updated_nanos": pl.Series([v.nanos for v in versions], dtype=pl.Int16),
        "content_hash": pl.Series([v.content_hash for v in versions], dtype=pl.Binary),
        **({TIMELESS: pl.Series([v.timeless or None for v in versions])} if any(v.timeless for v in versions) else {}),
    }
