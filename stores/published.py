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

    def encode(self) -> str:
        """The text of the file."""
        own = {"encrypted_by": self.key_id, "mart": self.mart} if self.key_id else {}
        return json.dumps({"made_by": "clinmart publish"} | own) + "\n"


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
