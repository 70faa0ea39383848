"""Words of public code systems that enough people have to be nobody's name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import duckdb

from schemas.table import Element, Kind, Table
from stores.research.macros import wordy
from stores.sql import quoted, text

_WORD = r"[A-Za-z0-9][A-Za-z0-9._:/+*-]{0,31}"


def common_words(
    connection: duckdb.DuckDBPyConnection, tables: Sequence[Table], stored: Mapping[str, Collection[str]], least: int
) -> set[str]:
    """The codes of such systems that at least ``least`` people have; of rows without a patient as many rows.

    A code system cannot be asked whether a code is its own, so one that few have may be what somebody typed.
    """
    parts = []
    for table in tables:
        there = stored[table.name]
        who = "patient_id" if "patient_id" in there else "id"
        for listed in (c for e in table.elements if e.columns and e.columns[0].name in there for c in _codings(e, "")):
            codings = f"unnest(list_distinct({listed})) AS k"
            parts.append(f"SELECT DISTINCT source, {who} AS who, {codings} FROM main.{quoted(table.name)}")
    if not parts:
        return set()
    # by themselves first: one query over all columns of all tables would take seconds to plan
    connection.execute('CREATE OR REPLACE TEMP TABLE "~words" (source VARCHAR, who VARCHAR, code VARCHAR)')
    for part in parts:
        connection.execute(
            f'INSERT INTO "~words" SELECT source, who, k.code FROM ({part}) WHERE '
            f"regexp_full_match(k.system, {text(wordy())}) AND regexp_full_match(k.code, {text(_WORD)})"
        )
    rows = connection.execute(
        'SELECT code FROM "~words" GROUP BY code HAVING count(DISTINCT (source, who)) >= ?', [least]
    ).fetchall()
    return {code for (code,) in rows}


def _codings(element: Element, items: str) -> list[str]:
    """SQL of lists of (system, code) of a coded element, or of those within a list."""

    def of(name: str) -> str:
        return f"i.{quoted(name)}" if items else quoted(name)

    if element.kind is Kind.CODING:
        code, system = element.columns[0].name, element.columns[1].name
        one = f"{{'system': {of(system)}, 'code': {of(code)}}}"
        return [f"list_transform({items}, lambda i: {one})" if items else f"[{one}]"]
    if element.kind is not Kind.ITEMS:
        return []
    inside = of(element.columns[0].name)
    inner = f"flatten(list_transform({items}, lambda i: {inside}))" if items else inside
    return [found for child in element.children for found in _codings(child, inner)]
