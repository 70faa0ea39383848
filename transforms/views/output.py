"""How the rows of a view leave: as JSON or CSV, one text a row, or as typed columns.

The texts are made by DuckDB: a decimal is written with the digits it was sent with, which no JSON writer keeps.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import StrEnum

from transforms.fhirpath.shape import identifier, text_literal
from transforms.views.compile import CompiledView, ViewColumn

LINE = "line"  # the only column of the text formats: a row with its line end
_CRLF = "chr(13) || chr(10)"  # RFC 4180 2.1


class Format(StrEnum):
    """The formats of a view's result."""

    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"

    @property
    def is_text(self) -> bool:
        """True when a row is one text."""
        return self is not Format.PARQUET


def output_sql(view: CompiledView, form: Format, source: str) -> str:
    """The query over ``source`` that gives rows ready to be written: one VARCHAR ``line``, or the typed columns."""
    return _OUTPUTS[form](view, f"({view.sql(source)})")


def header(view: CompiledView, form: Format) -> bytes:
    """What stands before the first row: the names of the columns in CSV."""
    if form is not Format.CSV:
        return b""
    return (",".join(column.name for column in view.columns) + "\r\n").encode()


def _ndjson(view: CompiledView, rows: str) -> str:
    fields = []
    for number, column in enumerate(view.columns):
        key = text_literal(("," if number else "{") + json.dumps(column.name) + ":")
        fields.append(f"{key} || coalesce({_json(column)}, 'null')")
    return f"SELECT {' || '.join(fields)} || '}}' || chr(10) AS {LINE} FROM {rows}"


def _csv(view: CompiledView, rows: str) -> str:
    fields = [f"coalesce({_csv_field(column)}, '')" for column in view.columns]
    return f"SELECT {' || chr(44) || '.join(fields)} || {_CRLF} AS {LINE} FROM {rows}"


def _typed(view: CompiledView, rows: str) -> str:
    """Decimals that no tag gives a type are DOUBLE."""
    columns = [
        _as(column, f"DOUBLE{_many(column)}" if _is_digits(column) else stored_type(column)) for column in view.columns
    ]
    return f"SELECT {', '.join(columns)} FROM {rows}"


def stored_sql(view: CompiledView, source: str, carried: str) -> str:
    """The query over ``source`` that gives rows as a table of a mart stores them, but instants as sent; and the column
    ``carried``.
    """
    columns = [_as(c, c.duckdb_type if is_instant(c) else stored_type(c)) for c in view.columns]
    return f"SELECT {', '.join(columns)}, {identifier(carried)} FROM ({view.sql(source, carried)})"


def stored_type(column: ViewColumn) -> str:
    """The DuckDB type of a column as it is stored: of what is as sent only instants have a type of their own."""
    if is_instant(column):
        return f"TIMESTAMP WITH TIME ZONE{_many(column)}"
    return f"VARCHAR{_many(column)}" if _value_type(column) == "JSON" else column.duckdb_type


def is_instant(column: ViewColumn) -> bool:
    """True for instants that are stored as such."""
    return column.fhir_type == "instant" and not column.hinted


def _as(column: ViewColumn, wanted: str) -> str:
    name = identifier(column.name)
    return name if wanted == column.duckdb_type else f"CAST({name} AS {wanted}) AS {name}"


def _many(column: ViewColumn) -> str:
    return "[]" if column.collection else ""


_OUTPUTS: dict[Format, Callable[[CompiledView, str], str]] = {
    Format.NDJSON: _ndjson,
    Format.CSV: _csv,
    Format.PARQUET: _typed,
}


def _value_type(column: ViewColumn) -> str:
    return column.duckdb_type.removesuffix("[]")


def _is_digits(column: ViewColumn) -> bool:
    """True for a decimal that is held as text, to keep its digits."""
    return column.fhir_type == "decimal" and not column.hinted


def _json(column: ViewColumn) -> str:
    """The column's value as JSON, NULL where there is none."""
    name = identifier(column.name)
    if not column.collection:
        return _json_value(name, column)
    items = f"list_transform({name}, lambda v: coalesce({_json_value('v', column)}, 'null'))"
    return f"'[' || array_to_string({items}, ',') || ']'"


def _json_value(sql: str, column: ViewColumn) -> str:
    """One value as JSON."""
    if _is_digits(column):
        # What is worked out may be no number of JSON; what was sent always is one.
        return f"CASE WHEN isfinite(TRY_CAST({sql} AS DOUBLE)) THEN {sql} END"
    kind = _value_type(column)
    if kind == "JSON":
        return f"CAST({sql} AS VARCHAR)"
    if kind in ("BOOLEAN", "BIGINT", "INTEGER", "SMALLINT") or kind.startswith("DECIMAL"):
        return f"CAST({sql} AS VARCHAR)"
    if kind in ("DOUBLE", "FLOAT"):
        return f"CASE WHEN isfinite({sql}) THEN CAST({sql} AS VARCHAR) END"
    return f"CAST(to_json(CAST({sql} AS VARCHAR)) AS VARCHAR)"


def _csv_field(column: ViewColumn) -> str:
    """The value as a field: in quotes where RFC 4180 asks for them, and where it is an empty text, to be no null."""
    kind = _value_type(column)
    name = identifier(column.name)
    text = _json(column) if column.collection else f"CAST({name} AS VARCHAR)"
    if not column.collection and (kind in ("BOOLEAN", "BIGINT", "INTEGER", "SMALLINT") or _is_digits(column)):
        return text
    quoted = f"""'"' || replace({text}, '"', '""') || '"'"""
    # Four searches for one letter each are several times as fast as one regular expression.
    special = " OR ".join(f"contains({text}, {letter})" for letter in ("','", "'\"'", "chr(10)", "chr(13)"))
    return f"CASE WHEN {special} OR {text} = '' THEN {quoted} ELSE {text} END"
