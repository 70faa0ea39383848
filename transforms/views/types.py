"""The types of a view's columns: what the path gives, what the view declares, what a tag asks for."""

from __future__ import annotations

import re

from schemas import fhir_types
from schemas.view_definition import ViewError
from transforms.fhirpath.navigate import is_a
from transforms.fhirpath.tree import EMPTY, kind

# By default (SQL on FHIR v2, default type mappings): numbers that are exact stay numbers; decimals keep
# their digits and dates their precision as text.
_BY_KIND = {"text": "VARCHAR", "date": "VARCHAR", "time": "VARCHAR", "boolean": "BOOLEAN", "complex": "JSON"}
_ANSI = {
    "CHARACTER": "VARCHAR", "CHAR": "VARCHAR", "CHARACTER VARYING": "VARCHAR", "VARCHAR": "VARCHAR", "TEXT": "VARCHAR",
    "CLOB": "VARCHAR", "BOOLEAN": "BOOLEAN", "SMALLINT": "SMALLINT", "INT": "INTEGER", "INTEGER": "INTEGER",
    "BIGINT": "BIGINT", "REAL": "FLOAT", "FLOAT": "DOUBLE", "DOUBLE": "DOUBLE", "DOUBLE PRECISION": "DOUBLE",
    "DATE": "DATE", "TIME": "TIME", "TIME WITHOUT TIME ZONE": "TIME", "TIMESTAMP": "TIMESTAMP",
    "TIMESTAMP WITHOUT TIME ZONE": "TIMESTAMP", "TIMESTAMP WITH TIME ZONE": "TIMESTAMP WITH TIME ZONE",
    "DECIMAL": "DECIMAL", "DEC": "DECIMAL", "NUMERIC": "DECIMAL",
}  # fmt: skip
_HINT = re.compile(r"([A-Z]+)(?:\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?((?:\s+[A-Z]+)*)")


def column_type(found: str, declared: str | None, hint: str | None) -> tuple[str, str]:
    """The FHIR type of a column and the DuckDB type of one of its values.

    ``found`` is the type of the path, ``declared`` that of the view, ``hint`` the value of the tag
    ``ansi/type``. Raises ViewError when the declared type cannot hold what the path gives, or the hint is
    no SQL type.
    """
    fhir_type = declared or ("string" if found == EMPTY else found)
    if not fhir_types.is_type(fhir_type):
        raise ViewError(f"FHIR R4 has no type {fhir_type!r}")
    if not _holds(fhir_type, found):
        raise ViewError(f"the path gives {found}, and the type is declared as {fhir_type}")
    if hint is not None:
        return fhir_type, _hinted(hint)
    of_kind = kind(fhir_type)
    if of_kind == "number":
        return fhir_type, "VARCHAR" if fhir_type == "decimal" else "BIGINT"
    return fhir_type, _BY_KIND[of_kind]


def _holds(declared: str, found: str) -> bool:
    """True when a column of type ``declared`` can hold every value of type ``found`` without loss."""
    if found == EMPTY:
        return True
    of_declared, of_found = kind(declared), kind(found)
    if "complex" in (of_declared, of_found):
        return is_a(found, declared)
    if of_declared == "number":
        return of_found == "number" and (declared == "decimal" or found != "decimal")
    if of_declared == "boolean":
        return of_found == "boolean"
    return of_declared == "text" or of_found in ("text", "date", "time")


def _hinted(hint: str) -> str:
    """The DuckDB type of an ISO SQL type."""
    match = _HINT.fullmatch(hint.strip().upper())
    name = f"{match[1]}{match[4]}" if match else ""
    base = _ANSI.get(" ".join(name.split()))
    if match is None or base is None:
        raise ViewError(f"the tag ansi/type is {hint!r}; known are: {', '.join(_ANSI)}")
    if base == "DECIMAL":
        return f"DECIMAL({match[2] or 18},{match[3] or 0})"
    return base
