"""NDJSON as a relation that DuckDB reads with the types that are asked for."""

from __future__ import annotations

from collections.abc import Mapping

from transforms.fhirpath.shape import identifier, text_literal

_MAX_LINE = 64 * 1024 * 1024  # no line is longer: the reader has its own, smaller limit


def ndjson_source(file: str, read: Mapping[str, str]) -> str:
    """The FROM part of a query over one NDJSON file; ``read`` maps the JSON keys to their DuckDB types.

    The type of the resource should be among them, and be used, so that a second `resourceType` in one object is
    seen as a duplicate key: a column that is not used is not read, and only what is read is searched for them.
    """
    columns = ", ".join(f"{identifier(name)}: {text_literal(kind)}" for name, kind in read.items())
    return f"read_ndjson({text_literal(file)}, columns={{{columns}}}, records=true, maximum_object_size={_MAX_LINE})"
