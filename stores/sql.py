"""Quoting for the SQL that stores render."""

from __future__ import annotations


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """An SQL string literal."""
    return "'" + value.replace("'", "''") + "'"


def files(paths: list[str]) -> str:
    """A list of files as ``read_parquet`` takes it."""
    return "[" + ", ".join(text(p) for p in paths) + "]"
