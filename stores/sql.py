"""Names and quoting for the SQL that stores render."""

from __future__ import annotations

STORED, STORED_HISTORY = "stored", "stored_history"  # schemas of what `main` and `history` show
STORED_PATCH = "stored_patch"  # schema of the patches that rows are folded from


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """An SQL string literal."""
    return "'" + value.replace("'", "''") + "'"


def files(paths: list[str]) -> str:
    """A list of files as ``read_parquet`` takes it."""
    return "[" + ", ".join(text(p) for p in paths) + "]"
