"""Addresses of sealed staged files, and Parquet that DuckDB itself writes beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stores.sql import files, text

SCHEME = "sealed://"
PARQUET_KEY = "clinmart_stage"  # what DuckDB calls the key of Parquet files that it writes into the stage


def path_of(address: str) -> Path:
    """The file that an address, or a plain path, means."""
    return Path(address.removeprefix(SCHEME))


def write_parquet(query: str, address: str) -> str:
    """The statement that writes what a query finds as Parquet, encrypted where ``address`` is that of a sealed file."""
    sealed = f", ENCRYPTION_CONFIG {{footer_key: '{PARQUET_KEY}'}}" if address.startswith(SCHEME) else ""
    return f"COPY ({query}) TO {text(str(path_of(address)))} (FORMAT parquet{sealed})"


def read_parquet(addresses: Sequence[str]) -> str:
    """What :func:`write_parquet` wrote, as a relation; all of it is encrypted, or nothing."""
    sealed = addresses[0].startswith(SCHEME)
    how = f", encryption_config = {{footer_key: '{PARQUET_KEY}'}}" if sealed else ""
    return f"read_parquet({files([str(path_of(address)) for address in addresses])}{how})"
