"""Patients of whom only changes are told: patches as values, and a small mart to commit them to."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from schemas.records import Counts, LoadReport, Partition, Receipt
from schemas.staged import StagedUnit
from schemas.tables.patient import PATIENT
from stores.commit import commit
from stores.ddl import statements
from stores.patches import CLEARED
from stores.staging import Stage
from tests.stores.desk import T0, Version, staged
from transforms.rows import without_repeats

SHOWN = ("active", "gender", "name_family", "name_text", "birth_date")  # gender and active: elements of one column


@dataclass(frozen=True)
class Patch:
    """A patch of one patient: what it tells, and what it clears."""

    id: str
    time: datetime
    told: tuple[tuple[str, Any], ...]
    cleared: tuple[str, ...] = ()

    @property
    def content_hash(self) -> bytes:
        return hashlib.sha256(repr((self.id, self.told, self.cleared)).encode()).digest()


class Ward:
    """A mart with patients in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.connection = duckdb.connect()
        self.connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
        for statement in statements([PATIENT]):
            self.connection.execute(statement)
        self._loads = itertools.count(1)

    def delete(self, *deletes: Version) -> Counts:
        """Commit deletes in one unit."""
        report = LoadReport(f"load{next(self._loads):03d}", "s", T0, T0)
        stage = Stage(self.folder / "mart", report.load_id)
        commit(self.connection, staged(stage, [deletes]), report, {"patient": PATIENT})
        stage.close()
        return report.total()

    def load(self, *files: Sequence[Patch]) -> Counts:
        """Commit files of patches in one unit."""
        report = LoadReport(f"load{next(self._loads):03d}", "s", T0, T0)
        stage = Stage(self.folder / "mart", report.load_id)
        unit = StagedUnit()
        for number, file in enumerate(files):
            frame = frame_of(file)
            kept = without_repeats(frame) if number % 2 == 0 else frame  # the commit finds what a worker has not
            unit.tables += stage.write_patches([("patient", kept, frame.height - kept.height)])
            partition = Partition(f"f{number}", 1)
            unit.receipts.append(Receipt(partition, report.load_id.encode(), len(file), T0, False, {}))
        commit(self.connection, unit, report, {"patient": PATIENT})
        stage.close()
        assert all(c.balanced() for c in report.resources.values()), report.resources
        return report.total()

    def tables(self) -> tuple[set[Any], set[Any]]:
        shown = ", ".join(SHOWN)
        main, history = (
            self.connection.execute(f"SELECT id, last_updated, content_hash, {shown} FROM {place}.patient").fetchall()
            for place in ("main", "history")
        )
        assert len(set(main)) == len(main) and len(set(history)) == len(history)
        return set(main), set(history)


def frame_of(patches: Sequence[Patch]) -> pl.DataFrame:
    """Staged rows."""
    rows = [
        {"id": p.id, "last_updated": p.time, "last_updated_nanos": 0, "content_hash": p.content_hash}
        | dict.fromkeys(("active", "gender", "name_family", "name_text"))
        | dict(p.told)
        | {CLEARED: list(p.cleared)}
        for p in patches
    ]
    types = {"active": pl.Boolean, "gender": pl.String, "name_family": pl.String, "name_text": pl.String}
    schema = {
        "id": pl.String,
        "last_updated": pl.Datetime("us", "UTC"),
        "last_updated_nanos": pl.Int16,
        "content_hash": pl.Binary,
        **types,
        CLEARED: pl.List(pl.String),
    }
    frame = pl.DataFrame(rows, schema=schema)
    if all(not p.cleared for p in patches):
        frame = frame.drop(CLEARED)
    return frame.select(c for c in frame.columns if c not in types or frame[c].null_count() < frame.height)
