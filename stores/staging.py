"""The staging area: Parquet files beside the mart, invisible to its readers until their commit."""

from __future__ import annotations

import hashlib
import io
import itertools
import logging
import shutil
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from schemas.errors import StorageError
from schemas.records import Rejection
from schemas.staged import FileSignature, StagedChunk, StagedTable, StagedUnit
from stores.ddl import TOMBSTONE
from stores.keys import Keys
from stores.keys.envelope import DataKey
from stores.sealed_path import SCHEME, path_of
from stores.staged_files import StagedFiles, Verified
from stores.step import STAGE_ROW
from stores.views import STAGE_LINE

_LOG = logging.getLogger(__name__)
_BLOCK = 1_000_000  # numbers of the files of one process
_ROW_BITS = 28  # rows of one file; the file's number stands above them


class Stage:
    """One load's folder of staged files; safe to use from several threads.

    A pickled copy writes into the same folder, in another process, and numbers its files from a block of its own.
    """

    def __init__(self, mart: Path, load_id: str, keys: Keys | None = None, *, seal: bool = False) -> None:
        """``keys`` sign the files; without them nothing is signed, and nothing verified. ``seal``: they are encrypted
        too, and paths are addresses that :func:`stores.sealed_files.let_read` lets DuckDB read.
        """
        self._files = StagedFiles(load_id, keys, seal=seal)
        self._signatures: dict[str, FileSignature] = {}
        self._root = staging_root(mart)
        self.folder = self._root / load_id
        self._numbers = itertools.count(1)
        self._blocks = itertools.count(1)
        self._lock = threading.Lock()
        try:
            for folder in (self._root, self.folder):
                folder.mkdir(mode=0o700, exist_ok=folder is self._root)
                folder.chmod(0o700)  # whatever the umask is
        except OSError as error:
            raise StorageError(f"cannot make the staging folder {self.folder}: {error.strerror}") from error

    def __getstate__(self) -> dict[str, object]:
        with self._lock:
            first = next(self._blocks) * _BLOCK
        return {"root": self._root, "folder": self.folder, "first": first, "files": self._files}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._root, self.folder = state["root"], state["folder"]
        self._files, self._signatures = state["files"], {}
        self._numbers, self._blocks = itertools.count(state["first"] + 1), itertools.count(1)
        self._lock = threading.Lock()

    def write_tables(self, tables: Mapping[str, pl.DataFrame]) -> list[StagedTable]:
        """Write accepted rows, one file a table."""
        return [self._table(name, frame) for name, frame in tables.items()]

    def write_patches(self, tables: Iterable[tuple[str, pl.DataFrame, int]]) -> list[StagedTable]:
        """Write accepted rows that say only what changed, one file for each frame of a table, with how many rows were
        left out of it.
        """
        return [replace(self._table(name, frame), patches=True, repeated=again) for name, frame, again in tables]

    def write_deletes(self, deletes: pl.DataFrame | None) -> list[StagedTable]:
        """Write deletes of any types in one file; none when there are none."""
        if deletes is None or not deletes.height:
            return []
        number = self._next()
        rows = pl.int_range(pl.len(), dtype=pl.Int64) + (number << _ROW_BITS)
        path = self._write(deletes.with_columns(rows.alias(STAGE_ROW)), "delete", number)
        types = tuple(sorted(deletes["resource_type"].unique().to_list()))
        return [StagedTable(TOMBSTONE, path, deletes.height, tuple(deletes.columns), types)]

    def write_views(self, views: Mapping[str, pl.DataFrame]) -> list[StagedTable]:
        """Write the rows of the mart's views, one file a view; ``~line`` becomes unique within the load."""
        return [self._view(name, frame) for name, frame in views.items()]

    def write_rejections(self, source: str, rejections: Sequence[Rejection], as_of: datetime) -> list[str]:
        """Write refused lines, seen at ``as_of``; no file when there are none."""
        if not rejections:
            return []
        rows = [
            {
                "quarantine_id": quarantine_id(source, r),
                "uri": r.uri,
                "line": r.line,
                "byte_offset": r.offset,
                "resource_type": r.resource_type,
                "resource_id": r.resource_id,
                "reason": str(r.code),
                "column_name": r.column,
                "check_name": r.check,
                "message": r.message,
                "payload": r.payload,
                "payload_bytes": r.length,
                "as_of": r.seen or as_of,
                "resolved": r.resolved,
            }
            for r in rejections
        ]
        return [self._write(pl.DataFrame(rows, schema=_REJECTION_SCHEMA), "quarantine")]

    def write_findings(self, findings: Sequence[pl.DataFrame]) -> list[str]:
        """Write what was found about rows, in one file; none when nothing was."""
        return [self._write(pl.concat(findings), "finding")] if findings else []

    def write_segments(self, frames: Sequence[pl.DataFrame]) -> list[str]:
        """Write segments that are kept as they came; no file when there are none."""
        return [self._write(pl.concat(frames), "segment")] if frames else []

    def write_sections(self, frames: Sequence[pl.DataFrame]) -> list[str]:
        """Write parts of documents that are kept as they came; no file when there are none."""
        return [self._write(pl.concat(frames), "section")] if frames else []

    def write_fhir(self, rows: Iterable[tuple[str, bytes]]) -> list[tuple[str, str]]:
        """Write rows as FHIR NDJSON, one file for each; type and path of each."""
        written = []
        for kind, data in rows:
            path = self.folder / f"fhir-{self._next():06d}.ndjson"
            self._keep(path, data, plain=True)  # for a folder of the user's
            written.append((kind, str(path)))
        return written

    def write_codes(self, counts: Sequence[pl.DataFrame]) -> list[str]:
        """Write what was met in coded columns (CODE_COUNTS); no file when there is nothing."""
        return [self._write(pl.concat(counts), "codes")] if counts else []

    @property
    def data_key(self) -> DataKey | None:
        """What the files are encrypted by; None when they are not."""
        return self._files.data_key

    def address(self, name: str) -> str:
        """Under which DuckDB reads a file of the folder."""
        path = str(self.folder / name)
        return path if self.data_key is None else SCHEME + path

    def sign(self, chunk: StagedChunk) -> StagedChunk:
        """Give a chunk the signatures of the files that were written for it."""
        for path in chunk.paths:
            if (signature := self._signatures.pop(path, None)) is not None:
                chunk.signatures[path] = signature
        return chunk

    def verify(self, unit: StagedUnit) -> Verified:
        """The files of a commit unit as they are, when they are what was written. Raises IntegrityError."""
        return self._files.verify(unit.paths, unit.signatures)

    def discard(self, paths: Sequence[str]) -> None:
        """Remove files that will not be committed, or that have been.

        One that cannot be removed now is in nobody's way: the next load clears what is left in the staging area.
        """
        for path in paths:
            try:
                path_of(path).unlink(missing_ok=True)
            except OSError as error:
                _LOG.warning("the staged file %s could not be removed: %s", path, error.strerror)

    def close(self) -> None:
        """Remove the load's folder, and the root when no other load uses it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            self._root.rmdir()
        except OSError:
            return  # another load's files are there

    def _table(self, name: str, frame: pl.DataFrame) -> StagedTable:
        number = self._next()
        rows = pl.int_range(pl.len(), dtype=pl.Int64) + (number << _ROW_BITS)
        path = self._write(frame.with_columns(rows.alias(STAGE_ROW)), name, number)
        return StagedTable(name, path, frame.height, tuple(frame.columns))

    def _view(self, name: str, frame: pl.DataFrame) -> StagedTable:
        number = self._next()
        lines = pl.col(STAGE_LINE).cast(pl.Int64) + (number << _ROW_BITS)
        path = self._write(frame.with_columns(lines), "view", number)
        return StagedTable(name, path, frame.height, tuple(frame.columns))

    def _write(self, frame: pl.DataFrame, name: str, number: int | None = None) -> str:
        path = self.folder / f"{name}-{number or self._next():06d}.parquet"
        data = io.BytesIO()
        frame.write_parquet(data, compression="lz4", statistics=False)
        return self._keep(path, data.getbuffer())

    def _keep(self, path: Path, data: bytes | memoryview, *, plain: bool = False) -> str:
        try:
            signature = self._files.write(path, data, plain=plain)
        except OSError as error:
            raise StorageError(f"cannot write the staged file {path}: {error.strerror}") from error
        address = str(path) if plain else self.address(path.name)
        if signature is not None:
            self._signatures[address] = signature
        return address

    def _next(self) -> int:
        with self._lock:
            return next(self._numbers)


def staging_root(mart: Path) -> Path:
    """The folder beside a mart that holds what is not yet committed."""
    return mart.with_name(mart.name + ".staging")


def clean_staging(mart: Path) -> None:
    """Remove what a dead load left behind; only for the holder of the mart's lock."""
    shutil.rmtree(staging_root(mart), ignore_errors=True)


def quarantine_id(source: str, rejection: Rejection) -> str:
    """The name of a refused line: a hash of its source, place and payload, so that it is the same in every run."""
    digest = hashlib.sha256()
    parts = (source.encode(), rejection.uri.encode(), str(rejection.line).encode(), rejection.payload)
    for part in parts if rejection.view is None else (*parts, rejection.view.encode()):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()[:32]


_REJECTION_SCHEMA: dict[str, pl.DataType] = {
    "quarantine_id": pl.String(),
    "uri": pl.String(),
    "line": pl.Int64(),
    "byte_offset": pl.Int64(),
    "resource_type": pl.String(),
    "resource_id": pl.String(),
    "reason": pl.String(),
    "column_name": pl.String(),
    "check_name": pl.String(),
    "message": pl.String(),
    "payload": pl.Binary(),
    "payload_bytes": pl.Int64(),
    "as_of": pl.Datetime("us", "UTC"),
    "resolved": pl.String(),
}
