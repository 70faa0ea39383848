"""`coding`: every coding of every coded column as a row.

Below it each table has a view of its own in the schema `coded`, with a part for each coded column that has data: a
query over all columns of all models would take seconds to plan.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from schemas.expand import CODINGS_DTYPE
from schemas.table import Column, Element, Kind, Table
from stores.sql import STORED, quoted, text

CODED = "coded"  # schema of the views of each table's codings

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


@dataclass(frozen=True, slots=True)
class Coded:
    """A table with coded columns."""

    table: str
    resource_type: str
    elements: tuple[Element, ...]

    def view(self, stored: Collection[str]) -> str:
        """Its codings, over a table with the columns ``stored``; without any there is no table.

        One part for each coded column, so that a filter on the column leaves few to read.
        """
        there = [e for e in self.elements if any(column.name in stored for column in e.columns)]
        nulls = {column.name for e in there for column in e.columns} - {*stored}
        parts = " UNION ALL ".join(_parts(self, there, (), nulls)) or f"SELECT {_NOTHING} WHERE false"
        return f"CREATE OR REPLACE VIEW {CODED}.{quoted(self.table)} AS {parts}"


def coding_view(tables: Sequence[Table]) -> str:
    """The view over those of all tables, which must be there."""
    union = (f"SELECT {_NOTHING} WHERE false", *(f"SELECT * FROM {CODED}.{quoted(table.name)}" for table in tables))
    return f"CREATE OR REPLACE VIEW main.coding AS {' UNION ALL '.join(union)}"


_NOTHING = ", ".join(f"NULL::{column.dtype} AS {quoted(column.name)}" for column in CODING_COLUMNS)


def _parts(
    place: Coded, elements: Iterable[Element], lists: tuple[str, ...], nulls: Collection[str] = ()
) -> Iterator[str]:
    for element in elements:
        if element.kind is Kind.CODING:
            yield _part(place, element, lists, nulls)
        elif element.kind is Kind.ITEMS:
            yield from _parts(place, element.children, (*lists, element.columns[0].name))


def _part(place: Coded, element: Element, lists: tuple[str, ...], nulls: Collection[str]) -> str:
    """The codings of one column as rows; ``lists`` are the lists around it, the outermost first, and ``nulls`` columns
    of the model that the table does not have.
    """

    def item(name: str) -> str:
        return "NULL::VARCHAR" if name in nulls else f"item.{quoted(name)}"

    names = [column.name for column in element.columns]
    origin = _opened(place, lists) if lists else f"{STORED}.{quoted(place.table)} item"
    codings = f"{element.name}_codings"
    if codings in names:
        concept = item(f"{element.name}_text") if f"{element.name}_text" in names else "NULL"
        listed = f"NULL::{CODINGS_DTYPE}" if codings in nulls else item(codings)
    else:
        code = names[0]
        concept = "NULL"
        fields = f"system := {item(f'{code}_system')}, code := {item(code)}, display := {item(f'{code}_display')}"
        listed = f"[struct_pack({fields}, text := NULL::VARCHAR)]"
    column = ".".join((*lists, names[0]))
    items = "items" if lists else "NULL::BIGINT[]"
    return (
        f"SELECT source, {text(place.resource_type)} AS resource_type, id, {text(column)} AS column_name, items, "
        "ordinal, k.system AS system, k.code AS code, k.display AS display, coalesce(k.text, concept) AS text FROM ("
        f"SELECT source, id, {items} AS items, {concept}::VARCHAR AS concept, unnest({listed}) AS k, "
        f"generate_subscripts({listed}, 1) AS ordinal FROM {origin}) "
        "WHERE k.system IS NOT NULL OR k.code IS NOT NULL OR k.display IS NOT NULL"
    )


def _opened(place: Coded, lists: tuple[str, ...]) -> str:
    """The items of the innermost list, with the row's key and the item's place."""
    first, *inner = lists
    opened = (
        f"(SELECT source, id, [generate_subscripts({quoted(first)}, 1)] AS items, unnest({quoted(first)}) AS item "
        f"FROM {STORED}.{quoted(place.table)})"
    )
    for name in inner:
        opened = (
            f"(SELECT source, id, list_append(items, generate_subscripts(item.{quoted(name)}, 1)) AS items, "
            f"unnest(item.{quoted(name)}) AS item FROM {opened})"
        )
    return opened
