"""Whether anything of a person is left: in the columns of a mart, whose blocks hide texts, and in files."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from stores.people import SHORTEST, Values
from stores.sql import quoted, text

_BLOCK = 4 * 1024 * 1024
_MOST = 500  # values that one expression looks for
_PERSONAL = ("names", "telecoms", "addresses")  # of other people: a name that two have is no residue of one
_SKIPPED = ("_hash", "sha256", "token")  # columns of hashes
_PARQUET = b"PAR1"


@dataclass(slots=True)
class Residue:
    """Where something is left (never what), and what was looked at. ``shared``: names, addresses and numbers that
    others have too, and that were not looked for; ``short``: values too short to be looked for in files.
    """

    found: list[str] = field(default_factory=list)
    values: int = 0
    shared: int = 0
    short: int = 0
    columns: int = 0
    files: int = 0
    bytes: int = 0


def without_shared(connection: duckdb.DuckDBPyConnection, values: Values, database: str) -> tuple[Values, int]:
    """The values without those names, addresses and numbers that people who stay have too, and how many these are."""
    shared: set[str] = set()
    for table in ("patient", "related_person", "practitioner", "organization", "location"):
        there = {
            column
            for (column,) in connection.execute(
                "SELECT column_name FROM duckdb_columns() WHERE database_name = ? AND schema_name = 'main' "
                "AND table_name = ?",
                [database, table],
            ).fetchall()
        }
        for column in _PERSONAL:
            if column not in there:
                continue
            told = f"CAST({quoted(column)} AS VARCHAR)"
            rest = sorted(values.likely - shared)
            asked = ", ".join(f"coalesce(bool_or(contains({told}, {text(value)})), false)" for value in rest)
            row = connection.execute(f"SELECT {asked} FROM {database}.main.{table}").fetchone() if rest else ()
            shared |= {value for value, there in zip(rest, row or (), strict=True) if there}
    return Values(values.sure, values.likely - shared, values.identifiers), len(shared)


def look_in_mart(
    connection: duckdb.DuckDBPyConnection, database: str, values: Values, sources: Collection[str], residue: Residue
) -> None:
    """Look for values in every column of text, however deep, of every table; as whole words. Of tables that name a
    source only the rows of these: an id of another source is somebody else's.
    """
    wanted = sorted(values.sure | values.likely)
    patterns = [_pattern(wanted[n : n + _MOST]) for n in range(0, len(wanted), _MOST)]
    raw = [_pattern([_escaped(value) for value in wanted[n : n + _MOST]]) for n in range(0, len(wanted), _MOST)]
    by_table: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for schema, table, column, dtype in connection.execute(
        "SELECT c.schema_name, c.table_name, column_name, data_type FROM duckdb_columns() c JOIN duckdb_tables() t "
        "USING (database_name, schema_name, table_name) WHERE database_name = ? ORDER BY ALL",
        [database],
    ).fetchall():
        if _holds_text(dtype) and not column.endswith(_SKIPPED):
            by_table.setdefault((schema, table), []).append((column, dtype))
    ours = ", ".join(text(source) for source in sorted(sources))
    for (schema, table), columns in by_table.items():
        asked = ", ".join(f"coalesce(bool_or({_matches(*one, patterns, raw)}), false)" for one in columns)
        name = f"{quoted(database)}.{quoted(schema)}.{quoted(table)}"
        where = f" WHERE source IN ({ours})" if any(column == "source" for column, _ in columns) else ""
        row = connection.execute(f"SELECT {asked} FROM {name}{where}").fetchone() or ()
        residue.columns += len(columns)
        residue.found += [f"{schema}.{table}.{c}" for (c, _), there in zip(columns, row, strict=True) if there]


def look_in_files(
    paths: Iterable[Path], values: Values, residue: Residue, parquet: Callable[[Path], bool]
) -> None:  # fmt: skip
    """Look for values in the bytes of files, those of gzip unpacked; ``parquet`` looks into one of those."""
    long = sorted(value for value in values.sure | values.likely if len(value.encode()) >= SHORTEST)
    residue.short = len(values.sure | values.likely) - len(long)
    if not long:
        return
    wanted = re.compile(rb"(?<![A-Za-z0-9])(?:" + _any_of(long) + rb")(?![A-Za-z0-9])")
    overlap = max(len(value.encode()) for value in long) + 1
    for path in paths:
        residue.files += 1
        residue.bytes += path.stat().st_size
        # The bytes of a Parquet file are those of its columns, of which some are of sources that are left alone.
        if parquet(path) if _begins(path, _PARQUET) else _has(path, wanted, overlap):
            residue.found.append(str(path))


def look_in_blocks(connection: duckdb.DuckDBPyConnection, database: str, path: Path, values: Values) -> bool:
    """True when the bytes of a mart's file hold a value that no column accounts for, be it within a longer text: then
    it stands in a block that is not in use.
    """
    long = [value for value in values.sure | values.likely if len(value.encode()) >= SHORTEST]
    if not long:
        return False
    wanted, overlap = re.compile(_any_of(long)), max(len(value.encode()) for value in long)
    seen: set[bytes] = set()
    rest = b""
    for block in _plain(path):
        seen.update(wanted.findall(rest + block))
        rest = block[-overlap:]
    texts = sorted(value.decode() for value in seen)
    columns = connection.execute(
        "SELECT c.schema_name, c.table_name, column_name FROM duckdb_columns() c JOIN duckdb_tables() t "
        "USING (database_name, schema_name, table_name) WHERE database_name = ? AND data_type LIKE '%VARCHAR%'",
        [database],
    ).fetchall()
    for schema, table, column in columns if texts else ():
        told = f"CAST({quoted(column)} AS VARCHAR)"
        asked = ", ".join(f"coalesce(bool_or(contains({told}, {text(value)})), false)" for value in texts)
        name = f"{quoted(database)}.{quoted(schema)}.{quoted(table)}"
        row = connection.execute(f"SELECT {asked} FROM {name}").fetchone() or ()
        texts = [value for value, there in zip(texts, row, strict=True) if not there]
        if not texts:
            break
    return bool(texts)


def parquet_has(connection: duckdb.DuckDBPyConnection, path: Path, values: Values, sources: Collection[str]) -> bool:
    """True when a column of a Parquet file, whose pages are compressed, holds one of the values, in rows of these
    sources where it names any.
    """
    wanted = sorted(values.sure | values.likely)
    file = f"read_parquet({text(str(path))})"
    patterns = [_pattern(wanted[n : n + _MOST]) for n in range(0, len(wanted), _MOST)]
    raw = [_pattern([_escaped(value) for value in wanted[n : n + _MOST]]) for n in range(0, len(wanted), _MOST)]
    columns = [(row[0], row[1]) for row in connection.execute(f"DESCRIBE FROM {file}").fetchall()]
    asked = [_matches(c, d, patterns, raw) for c, d in columns if _holds_text(d) and not c.endswith(_SKIPPED)]
    if not asked or not patterns:
        return False
    ours = ", ".join(text(source) for source in sorted(sources))
    where = f" WHERE source IN ({ours})" if any(column == "source" for column, _ in columns) else ""
    row = connection.execute(f"SELECT coalesce(bool_or({' OR '.join(asked)}), false) FROM {file}{where}").fetchone()
    return row == (True,)


def _holds_text(dtype: str) -> bool:
    return "VARCHAR" in dtype or "BLOB" in dtype or "JSON" in dtype


def _matches(column: str, dtype: str, patterns: list[str], raw: list[str]) -> str:
    told = f"CAST({quoted(column)} AS VARCHAR)"
    which = raw if dtype == "BLOB" else patterns
    return "(" + (" OR ".join(f"regexp_matches({told}, {text(one)})" for one in which) or "false") + ")"


def _pattern(values: list[str]) -> str:
    """Any of the values as a whole word (RE2)."""
    return r"(?:^|[^A-Za-z0-9])(?:" + "|".join(map(_literal, values)) + r")(?:$|[^A-Za-z0-9])"


def _literal(value: str) -> str:
    return "".join(c if c.isalnum() else rf"\x{{{ord(c):x}}}" for c in value)


def _escaped(value: str) -> str:
    r"""A value as DuckDB writes it in a BLOB: what is not printable ASCII, quotes and backslashes as ``\xNN``."""
    return "".join(chr(b) if 32 <= b < 127 and chr(b) not in "\\'\"" else f"\\x{b:02X}" for b in value.encode())


def _any_of(values: Iterable[str]) -> bytes:
    """Any of the values, as bytes."""
    return b"|".join(re.escape(value.encode()) for value in sorted(values, key=len, reverse=True))


def _has(path: Path, wanted: re.Pattern[bytes], overlap: int) -> bool:
    return any(_found(blocks, wanted, overlap) for blocks in (_plain(path), _unzipped(path)))


def _found(blocks: Iterator[bytes], wanted: re.Pattern[bytes], overlap: int) -> bool:
    rest = b""
    for block in blocks:
        if wanted.search(rest + block):
            return True
        rest = block[-overlap:]
    return False


def _plain(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def _unzipped(path: Path) -> Iterator[bytes]:
    if not _begins(path, b"\x1f\x8b"):
        return
    try:
        with gzip.open(path, "rb") as file:
            while block := file.read(_BLOCK):
                yield block
    except (OSError, EOFError, zlib.error):
        return  # it was cut; what could be read was looked at


def _begins(path: Path, mark: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(mark)) == mark
