"""Views for daily work: every coding of every column as rows, and the tables without what nobody should count.

They are rendered from the models and read ``main.<table>`` only. ``clean.<table>`` leaves out a row whose modifier
extensions may change its meaning (FHIR R4 2.4.1.1), which is entered in error, or which says that something is refuted;
``clean.excluded`` names each of these rows and why.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from schemas.table import Column, Table
from stores.codings import coding_view
from stores.ddl import RESOURCE_TABLE, part_view
from stores.sql import quoted, text

MODIFIER = "modifier_extension"
_LEFT_OUT = ("entered-in-error", "refuted")  # codes of a status

EXCLUDED_COLUMNS: tuple[Column, ...] = (
    Column("source", "VARCHAR", "Name of the source."),
    Column("resource_type", "VARCHAR", "FHIR resource type."),
    Column("table_name", "VARCHAR", "Table that has the row."),
    Column("id", "VARCHAR", "Id of the resource."),
    Column("reason", "VARCHAR", "modifier_extension, entered-in-error or refuted; a row for each that holds."),
)


def daily_views(tables: Sequence[Table]) -> Iterator[str]:
    """The statements that make the views; the tables must be there."""
    yield coding_view(tables)
    yield "CREATE SCHEMA IF NOT EXISTS clean"
    for table in tables:
        yield _clean(table.name, reasons(table))
        yield from (part_view("clean", part, f"clean.{quoted(table.name)}") for part in table.child_tables())
    yield _clean(RESOURCE_TABLE, _WHOLE_REASONS)
    excluded = [_excluded(table.name, text(table.resource_type), reasons(table)) for table in tables]
    union = " UNION ALL ".join((*excluded, _excluded(RESOURCE_TABLE, '"type"', _WHOLE_REASONS)))
    yield f"CREATE OR REPLACE VIEW clean.excluded AS {union}"


def reasons(table: Table) -> dict[str, str]:
    """Why a row of the table is left out of `clean`: each reason with the SQL that says whether it holds."""
    columns = [column for element in table.elements for column in element.columns]
    found = {MODIFIER: f"{MODIFIER} IS NOT NULL"} if any(c.name == MODIFIER for c in columns) else {}
    for code in _LEFT_OUT:
        saying = [f"{quoted(c.name)} = {text(code)}" for c in columns if code in c.codes and c.dtype == "VARCHAR"]
        if saying:
            found[code] = " OR ".join(saying)
    return found


# The same of resources that are kept whole.
_VERIFIED = "json_extract_string(json, '$.verificationStatus.coding[*].code')"
_STATUSES = f"list_concat([json_extract_string(json, '$.status')], {_VERIFIED})"
_WHOLE_REASONS = {
    MODIFIER: "json_exists(json, '$.modifierExtension')",
    **{code: f"list_contains({_STATUSES}, {text(code)})" for code in _LEFT_OUT},
}


def _clean(name: str, why: dict[str, str]) -> str:
    kept = " AND ".join(f"NOT coalesce({condition}, false)" for condition in why.values()) or "true"
    return f"CREATE OR REPLACE VIEW clean.{quoted(name)} AS SELECT * FROM main.{quoted(name)} WHERE {kept}"


def _excluded(name: str, resource_type: str, why: dict[str, str]) -> str:
    return " UNION ALL ".join(
        f"SELECT source, {resource_type} AS resource_type, {text(name)} AS table_name, id, {text(reason)} AS reason "
        f"FROM main.{quoted(name)} WHERE {condition}"
        for reason, condition in why.items()
    )
