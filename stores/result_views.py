"""Views over measured values: ``lab`` and ``vital``, one row per result, and ``etl.unit``, what became of the units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb

from schemas.naming import harmonized_names
from schemas.systems import LOINC
from schemas.table import Element, Kind, Table
from stores.sql import quoted, text

UNIT_COLUMNS = (
    "table_name", "column_name", "source", "loinc", "unit", "unit_code", "unit_system", "harmonized_unit",
    "unit_status", "rows",
)  # fmt: skip
_SENT = ("unit", "unit_code", "unit_system")
_CATEGORIES = {"lab": "laboratory", "vital": "vital-signs"}
_UNDERSTOOD = ("ucum", "mapped")

_EVENT = (
    "source", "id", "patient_id", "encounter_id", "status", "effective_at", "effective_date", "effective_precision",
)  # fmt: skip
# What observations and their components have in common, and where it stands in each.
_SHARED = (
    "code", "code_system", "code_display", "value_type", "value_number", "value_literal", "value_comparator",
    "value_unit", "value_code", "value_text", "harmonized_value", "harmonized_unit", "unit_status", "interpretation",
)  # fmt: skip


def result_views(tables: Sequence[Table]) -> Iterator[str]:
    """The statements that make the views, as far as the tables and the views of `clean` are there that they read."""
    if {"observation", "patient"} <= {table.name for table in tables}:
        for name, category in _CATEGORIES.items():
            yield f"CREATE OR REPLACE VIEW main.{name} AS {_results(category)}"
    units = list(_units(tables))
    if units:
        yield f"CREATE OR REPLACE VIEW etl.unit AS {' UNION ALL '.join(units)}"


def units_in(connection: duckdb.DuckDBPyConnection, *, every: bool = False) -> list[tuple[object, ...]]:
    """The rows of ``etl.unit``, the most frequent first; unless ``every``, only those of units left alone."""
    understood = ", ".join(text(status) for status in _UNDERSTOOD)
    where = "" if every else f"WHERE unit_status NOT IN ({understood})"
    columns = ", ".join(UNIT_COLUMNS)
    return connection.execute(f"SELECT {columns} FROM etl.unit {where} ORDER BY rows DESC, {columns}").fetchall()


def _results(category: str) -> str:
    """One row for each value: of the observation itself (ordinal 0) and of its components.

    ``age_years`` are whole years from birth to the event; exact where both are full dates.
    """
    mine = f"list_contains(list_transform(o.category_codings, lambda c: c.code), {text(category)})"
    own = ", ".join(f"o.{c}" for c in _SHARED)
    part = ", ".join(f"k.{c}" for c in _SHARED)
    event = ", ".join(f"o.{c}" for c in _EVENT)
    rows = (
        f"SELECT {event}, 0 AS ordinal, {own}, {_range('o.reference_range_low', 'o.reference_range_high', 'o.')} "
        f"FROM clean.observation o WHERE {mine} AND (o.value_type IS NOT NULL OR len(o.components) IS NULL) "
        f"UNION ALL SELECT {event}, o.ordinal, {part}, "
        f"{_range('k.reference_ranges[1].low', 'k.reference_ranges[1].high', 'k.')} "
        "FROM (SELECT *, generate_subscripts(components, 1) AS ordinal, unnest(components) AS k "
        f"FROM clean.observation) o WHERE {mine}"
    )
    age = "date_sub('year', p.birth_date, r.effective_date) AS age_years"
    exact = "p.birth_precision = 'day' AND r.effective_precision NOT IN ('year', 'month') AS age_is_exact"
    born = "LEFT JOIN main.patient p ON p.source = r.source AND p.id = r.patient_id"
    return f"SELECT r.*, {age}, {exact} FROM ({rows}) r {born}"


def _range(low: str, high: str, value: str) -> str:
    """The limits of the reference range, where they are in the unit of the value."""
    return ", ".join(
        f"CASE WHEN {end}_harmonized_unit = {value}harmonized_unit THEN {end}_harmonized_value END AS reference_{name}"
        for name, end in (("low", low), ("high", high))
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where quantities stand: a relation, the row or item in it, and the expression of its LOINC code."""

    table: str
    column: str  # of the list, empty for the row itself
    relation: str
    item: str
    loinc: str


def _units(tables: Sequence[Table]) -> Iterator[str]:
    for table in tables:
        yield from _of(
            _Place(table.name, "", f"main.{quoted(table.name)}", "", "CAST(NULL AS VARCHAR)"), table.elements
        )


def _of(place: _Place, elements: Sequence[Element]) -> Iterator[str]:
    here = f"{place.item}." if place.item else ""
    loinc = place.loinc
    if any(e.name == "code" and e.kind is Kind.CODING for e in elements):
        loinc = f"CASE WHEN {here}code_system = {text(LOINC)} THEN {here}code END"
    for element in elements:
        if element.quantity:
            name, made = element.quantity, harmonized_names(element.quantity)
            sent = ", ".join(f"{here}{quoted(f'{name}_{part}')} AS {part}" for part in _SENT)
            column = f"{place.column}.{name}" if place.column else name
            yield (
                f"SELECT {text(place.table)} AS table_name, {text(column)} AS column_name, source, {loinc} AS loinc, "
                f"{sent}, {here}{quoted(made.unit)} AS harmonized_unit, {here}{quoted(made.status)} AS unit_status, "
                f"count(*) AS rows FROM {place.relation} WHERE {here}{quoted(made.status)} IS NOT NULL GROUP BY ALL"
            )
        elif element.kind is Kind.ITEMS:
            name = element.columns[0].name
            inside = f"(SELECT source, {loinc} AS loinc, unnest({here}{quoted(name)}) AS item FROM {place.relation})"
            column = f"{place.column}.{name}" if place.column else name
            yield from _of(_Place(place.table, column, inside, "item", "loinc"), element.children)
