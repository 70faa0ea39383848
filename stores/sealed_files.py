"""Sealed staged files, as DuckDB reads them: by addresses ``sealed:///path``, which only the load's key opens."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import duckdb
from fsspec.spec import AbstractFileSystem

from stores.keys.envelope import DataKey
from stores.sealed_blocks import SealedBlocks
from stores.sealed_path import PARQUET_KEY, path_of


def let_read(connection: duckdb.DuckDBPyConnection, key: DataKey) -> None:
    """Let the connection's database read the sealed files of a load, and write encrypted Parquet for it."""
    if connection.filesystem_is_registered(_SealedFiles.protocol):
        connection.unregister_filesystem(_SealedFiles.protocol)
    connection.register_filesystem(_SealedFiles(key))
    secret = base64.b64encode(key.secret).decode()
    connection.execute(f"PRAGMA add_parquet_key('{PARQUET_KEY}', '{secret}')")


class _SealedFiles(AbstractFileSystem):  # type: ignore[misc] # fsspec has no types
    protocol = "sealed"
    cachable = False  # instances hold a key

    def __init__(self, key: DataKey) -> None:
        super().__init__()
        self._key = key

    def open(self, path: str, mode: str = "rb", **_: Any) -> SealedBlocks:
        if mode != "rb":
            raise PermissionError(f"{path}: sealed files are only read")
        at = path_of(path)
        return SealedBlocks(at, self._key.secret, at.name.encode())

    def info(self, path: str, **_: Any) -> dict[str, object]:
        with self.open(path) as file:
            return {"name": path, "size": file.size, "type": "file"}

    def exists(self, path: str, **_: Any) -> bool:
        return path_of(path).exists()

    def isfile(self, path: str) -> bool:
        return path_of(path).is_file()

    def glob(self, path: str, **_: Any) -> list[str]:
        return [path]

    def modified(self, path: str) -> datetime:
        return datetime.fromtimestamp(path_of(path).stat().st_mtime, UTC)
