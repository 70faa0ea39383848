"""Published Parquet that is encrypted: its key, and how DuckDB writes and reads by it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path

import duckdb

from schemas.errors import UsageError
from stores.keys import Key

MARKER = "_clinmart.json"
_KEY = "clinmart_published"  # what DuckDB calls it


@dataclass(frozen=True, slots=True)
class Marker:
    """What a published folder says of itself: whose it is, and by which key of which mart's keyring it is encrypted."""

    key_id: str | None = None
    mart: str | None = None

    def as_dict(self) -> dict[str, str | None]:
        """What the file holds."""
        own = {"encrypted_by": self.key_id, "mart": self.mart} if self.key_id else {}
        return {"made_by": "clinmart publish"} | own

    def encode(self) -> str:
        """The text of the file."""
        return json.dumps(self.as_dict()) + "\n"


def marker_by(key: Key | None, mart: Path | None) -> Marker:
    """What a folder says that was written by this key, if any, of the keyring of ``mart``."""
    return Marker() if key is None else Marker(key.key_id, str(mart and mart.absolute()))


def marker_of(folder: Path) -> Marker | None:
    """What the folder says of itself; None when clinmart did not publish it."""
    try:
        found = json.loads((folder / MARKER).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        raise UsageError(f"{folder / MARKER} is damaged: publish the mart anew") from None
    return Marker(found.get("encrypted_by"), found.get("mart"))


def use_key(connection: duckdb.DuckDBPyConnection, key: Key) -> None:
    """Let the connection write and read Parquet by the key."""
    secret = base64.b64encode(key.secret).decode()
    connection.execute(f"PRAGMA add_parquet_key('{_KEY}', '{secret}')")


def config(key: Key | None, *, reading: bool = False) -> str:
    """What statements add to read or write by the key; nothing without one."""
    if key is None:
        return ""
    return f", encryption_config{' =' if reading else ''} {{footer_key: '{_KEY}'}}"
