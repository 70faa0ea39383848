"""Views for daily work: every coding of every column as rows, and the tables without what nobody should count.

They are rendered from the models and read ``main.<table>`` only. ``clean.<table>`` leaves out a row whose modifier
extensions may change its meaning (FHIR R4 2.4.1.1), which is entered in error, or which says that something is refuted;
``clean.excluded`` names each of these rows and why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from schemas.table import Column, Element, Kind, Table
from stores.ddl import RESOURCE_TABLE, part_view
from stores.sql import quoted, text

MODIFIER = "modifier_extension"
_LEFT_OUT = ("entered-in-error", "refuted")  # codes of a status

CODING_COLUMNS: tuple[Column, ...] = (
    Column("source", "VARCHAR", "Name of the source."),
    Column("resource_type", "VARCHAR", "FHIR resource type; say it in WHERE, and only its table is read."),
    Column("id", "VARCHAR", "Id of the resource."),
    Column("column_name", "VARCHAR", "Coded column; within lists `list.column`."),
    Column("items", "BIGINT[]", "Place in the lists (from 1), the outermost first; null for a column of the row."),
    Column("ordinal", "BIGINT", "Place among the codings of the field, from 1."),
    Column("system", "VARCHAR", "Code system, its canonical URI."),
    Column("code", "VARCHAR", "The code."),
    Column("display", "VARCHAR", "Its display, as sent."),
    Column("text", "VARCHAR", "Text of the concept that the coding stands in."),
)
EXCLUDED_COLUMNS: tuple[Column, ...] = (
    Column("source", "VARCHAR", "Name of the source."),
    Column("resource_type", "VARCHAR", "FHIR resource type."),
    Column("table_name", "VARCHAR", "Table that has the row."),
    Column("id", "VARCHAR", "Id of the resource."),
    Column("reason", "VARCHAR", "modifier_extension, entered-in-error or refuted; a row for each that holds."),
)


def daily_views(tables: Sequence[Table]) -> Iterator[str]:
    """The statements that make the views; the tables must be there."""
    yield f"CREATE OR REPLACE VIEW main.coding AS {coding_query(tables)}"
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


def coding_query(tables: Sequence[Table]) -> str:
    """The query of `coding`: one part for each coded column, so that a filter on type or column leaves few to read.

    The parts of a table are bracketed: one flat chain of hundreds of UNIONs takes DuckDB twice as long to plan.
    """
    nothing = ", ".join(f"NULL::{column.dtype} AS {quoted(column.name)}" for column in CODING_COLUMNS)
    by_table = (" UNION ALL ".join(_parts(table, table.elements, ())) for table in tables)
    filled = (f"SELECT * FROM ({parts})" for parts in by_table if parts)
    return " UNION ALL ".join((f"SELECT {nothing} WHERE false", *filled))


def _parts(table: Table, elements: Iterable[Element], lists: tuple[str, ...]) -> Iterator[str]:
    for element in elements:
        if element.kind is Kind.CODING:
            yield _part(table, element, lists)
        elif element.kind is Kind.ITEMS:
            yield from _parts(table, element.children, (*lists, element.columns[0].name))


def _part(table: Table, element: Element, lists: tuple[str, ...]) -> str:
    """The codings of one column as rows; ``lists`` are the lists around it, the outermost first."""
    names = [column.name for column in element.columns]
    origin = _opened(table, lists) if lists else f"main.{quoted(table.name)} item"
    codings = f"{element.name}_codings"
    if codings in names:
        concept = f"item.{quoted(f'{element.name}_text')}" if f"{element.name}_text" in names else "NULL"
        listed = f"item.{quoted(codings)}"
    else:
        code = names[0]
        concept = "NULL"
        fields = f"system := item.{quoted(code + '_system')}, code := item.{quoted(code)}, "
        fields += f"display := item.{quoted(code + '_display')}, text := NULL::VARCHAR"
        listed = f"[struct_pack({fields})]"
    column = ".".join((*lists, names[0]))
    items = "items" if lists else "NULL::BIGINT[]"
    return (
        f"SELECT source, {text(table.resource_type)} AS resource_type, id, {text(column)} AS column_name, items, "
        "ordinal, k.system AS system, k.code AS code, k.display AS display, coalesce(k.text, concept) AS text FROM ("
        f"SELECT source, id, {items} AS items, {concept}::VARCHAR AS concept, unnest({listed}) AS k, "
        f"generate_subscripts({listed}, 1) AS ordinal FROM {origin}) "
        "WHERE k.system IS NOT NULL OR k.code IS NOT NULL OR k.display IS NOT NULL"
    )


def _opened(table: Table, lists: tuple[str, ...]) -> str:
    """The items of the innermost list, with the row's key and the item's place."""
    first, *inner = lists
    opened = (
        f"(SELECT source, id, [generate_subscripts({quoted(first)}, 1)] AS items, unnest({quoted(first)}) AS item "
        f"FROM main.{quoted(table.name)})"
    )
    for name in inner:
        opened = (
            f"(SELECT source, id, list_append(items, generate_subscripts(item.{quoted(name)}, 1)) AS items, "
            f"unnest(item.{quoted(name)}) AS item FROM {opened})"
        )
    return opened
