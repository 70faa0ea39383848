"""The file of a mart, plain or encrypted, opened.

An encrypted one is DuckDB's own format: AES-256-GCM, block by block, of the file and of its log. DuckDB opens it only
when it is attached to another database, so that is one in memory, which the process shares by the file's name.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from pathlib import Path

import duckdb

from schemas.errors import UsageError
from stores.keys import Key, Keys, Purpose
from stores.sql import text

Config = dict[str, str | bool | int | float | list[str]]

ATTACHED = "mart"  # what an encrypted database is called where it is attached
_MAGIC = slice(8, 12)  # of a DuckDB file: checksum (8 bytes), "DUCK", version (8), flags (8), ...
_FLAGS = 20
_ENCRYPTED = 0x01
_CRYPTO = "httpfs"  # DuckDB's extension that brings OpenSSL
BUNDLED = (
    "this DuckDB has no OpenSSL (its extension httpfs is not installed here), so the mart is encrypted by the code "
    "that DuckDB bundles, whose random numbers DuckDB does not call secure: see docs/keys.md"
)


def is_encrypted(path: Path) -> bool:
    """Whether the file is an encrypted database; false when it is none or cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(_FLAGS + 8)
    except OSError:
        return False
    return head[_MAGIC] == b"DUCK" and len(head) > _FLAGS and bool(head[_FLAGS] & _ENCRYPTED)


def open_plain(path: Path, config: Config, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """The database, in which statements find their tables. Raises what DuckDB raises."""
    return duckdb.connect(str(path), read_only=read_only, config=config)


def open_encrypted(path: Path, config: Config, keys: Keys, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """The database, made if it is not there; each cursor must ``USE mart`` first.

    Raises what DuckDB raises, without the key in its words, and UsageError when no key of the keyring opens it.
    """
    name = hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:32]
    connection = duckdb.connect(f":memory:clinmart-{name}", config=_config(config))
    try:
        if not has_openssl(connection):  # what is read may be published, which is written
            connection.execute("SET force_mbedtls_unsafe = true")
        if not path.exists():
            _attach(connection, path, keys.current(Purpose.DATABASE).secret.hex(), read_only)
            return connection
        for key in keys.all_of(Purpose.DATABASE):
            try:
                _attach(connection, path, key.secret.hex(), read_only)
            except duckdb.InvalidInputException as error:
                if "encryption key" not in str(error):
                    raise
            else:
                return connection
    except BaseException:
        connection.close()
        raise
    connection.close()
    raise UsageError(f"no key of the keyring {keys.where} opens the mart {path}: name the mart's with --keys")


def has_openssl(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether DuckDB encrypts by OpenSSL, once its extension is loaded if it is on this machine; none is fetched."""
    for name in _extensions():
        try:
            connection.execute(f"LOAD {name}")
        except duckdb.Error:
            continue
        return True
    return False


def _extensions() -> list[str]:
    """The extension in DuckDB's own folder, and in the wheel that DuckDB publishes it as."""
    found = importlib.util.find_spec(f"duckdb_extension_{_CRYPTO}")
    wheel = Path(found.origin).parent if found is not None and found.origin else None
    file = wheel and wheel / "extensions" / f"v{duckdb.__version__}" / f"{_CRYPTO}.duckdb_extension"
    return [_CRYPTO, *([text(str(file))] if file is not None and file.exists() else [])]


def _config(config: Config) -> Config:
    """Nothing is written aside: DuckDB would encrypt it by a key of its own, made of the same random numbers. So it
    may use the memory that it takes when it is not told otherwise, 80 % of the machine's or container's.
    """
    return {name: value for name, value in config.items() if name != "memory_limit"} | {"temp_directory": ""}


def attach_another(connection: duckdb.DuckDBPyConnection, path: Path, name: str, key: Key | None) -> None:
    """Attach a second database, made now, by this name; encrypted by ``key``, if any. Raises what DuckDB raises,
    without the key in its words.
    """
    if key is None:
        connection.execute(f"ATTACH {text(str(path))} AS {name}")
    else:
        _attach(connection, path, key.secret.hex(), False, name)


def _attach(
    connection: duckdb.DuckDBPyConnection, path: Path, secret: str, read_only: bool, name: str = ATTACHED
) -> None:
    mode = "READ_ONLY, " if read_only else ""
    try:
        connection.execute(f"ATTACH IF NOT EXISTS {text(str(path))} AS {name} ({mode}ENCRYPTION_KEY {text(secret)})")
    except duckdb.Error as error:
        raise type(error)(re.sub(r"(?i)'?[0-9a-f]{64}'?", "the key", str(error))) from None
