"""Numeric results by code: their units as sent and harmonised, how their values are spread, and how that moved."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import duckdb

from stores.figures.columns import Split
from stores.figures.records import Drift, Result, SentUnit, Trouble
from stores.sql import text

BINS = 24
_TOLD = 30  # results
_UNITS = 6  # of a result as sent
_QUANTILES = "[0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]"
_FEWEST = 30  # rows before and now, for a drift to be told
_LEAST = 10  # rows of which values are told: fewer would tell of a person
_LEAST_SHIFT = 0.5  # of the interquartile range
_UNDERSTOOD = ("ucum", "mapped")
_WORST = 12

# Results stand in rows of observations and in their components.
_FIELDS = (
    "code", "code_system", "code_display", "value_number", "value_unit", "harmonized_value", "harmonized_unit",
    "unit_status",
)  # fmt: skip


def results(connection: duckdb.DuckDBPyConnection) -> tuple[list[Result], int]:
    """The most frequent numeric results, and how many there are in all."""
    _prepare(connection)
    found = connection.execute(
        "SELECT code, code_system, mode(code_display), harmonized_unit, count(*) AS n, "
        f"approx_count_distinct(patient_id), approx_quantile(harmonized_value, {_QUANTILES}) FROM figures_result "
        "WHERE harmonized_value IS NOT NULL AND code IS NOT NULL GROUP BY code, code_system, harmonized_unit "
        f"HAVING n >= {_LEAST} ORDER BY n DESC, code, code_system, harmonized_unit"
    ).fetchall()
    told = found[:_TOLD]
    keys = [(code, system, unit) for code, system, _, unit, *_ in told]
    bins, sent, common = _bins(connection, told), _sent(connection), _common_displays(connection)
    made = [
        Result(
            code,
            system,
            display if display in common else None,
            unit,
            rows,
            patients,
            quantiles,
            bins[key],
            sent[key][:_UNITS],
        )
        for key, (code, system, display, unit, rows, patients, quantiles) in zip(keys, told, strict=True)
    ]
    return made, len(found)


def _common_displays(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Displays that enough rows have: a rarer one may be what somebody typed."""
    query = f"SELECT code_display FROM figures_result GROUP BY 1 HAVING count(*) >= {_LEAST}"
    return {display for (display,) in connection.execute(query).fetchall() if display is not None}


def unknown_units(connection: duckdb.DuckDBPyConnection) -> list[Trouble]:
    """The units that were understood least, with the code that they came with; rare ones may be what somebody typed,
    and are told together.
    """
    known = ", ".join(text(status) for status in _UNDERSTOOD)
    found = connection.execute(
        f"SELECT CASE WHEN n >= {_LEAST} THEN unit ELSE 'rare units' END, unit_status, table_name, column_name, loinc, "
        "sum(n)::BIGINT AS rows FROM (SELECT coalesce(unit, unit_code, 'no unit') AS unit, unit_status, table_name, "
        "column_name, coalesce(loinc, '') AS loinc, sum(rows) AS n FROM etl.unit "
        f"WHERE unit_status NOT IN ({known}, 'absent') GROUP BY ALL) "
        f"GROUP BY ALL ORDER BY rows DESC, 1, 3, 4, 5 LIMIT {_WORST}"
    ).fetchall()
    return [
        Trouble("unit", f"{unit}: {status}", f"{table}.{column} {loinc}".strip(), rows)
        for unit, status, table, column, loinc, rows in found
    ]


def value_drift(connection: duckdb.DuckDBPyConnection, split: Split) -> list[Drift]:
    """Results whose median in a source's last load lies away from that before."""
    if not split.last:
        return []
    found = connection.execute(
        f"SELECT source, code, harmonized_unit, {split.sql} AS now, count(*), "
        "approx_quantile(harmonized_value, [0.25, 0.5, 0.75]) FROM figures_result "
        "WHERE harmonized_value IS NOT NULL AND code IS NOT NULL GROUP BY ALL HAVING now IS NOT NULL"
    ).fetchall()
    halves: dict[tuple[Any, ...], dict[bool, tuple[int, list[float]]]] = defaultdict(dict)
    for source, code, unit, now, rows, quartiles in found:
        halves[source, code, unit][now] = (rows, quartiles)
    drifts = []
    for (source, code, unit), half in halves.items():
        if len(half) < 2 or min(half[False][0], half[True][0]) < _FEWEST:
            continue
        (before, (low, was, high)), (rows, (_, is_, _)) = half[False], half[True]
        spread = high - low
        shift = abs(is_ - was) / spread if spread else 0.0
        if shift >= _LEAST_SHIFT:
            what = f"{code} in {unit}" if unit else code
            drifts.append(
                Drift(source, "observation", "harmonized_value", "median", what, was, is_, before, rows, shift)
            )
    return drifts


def _prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """A view of this connection alone over all results."""
    own = ", ".join(f"o.{name}" for name in _FIELDS)
    part = ", ".join(f"k.{name}" for name in _FIELDS)
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW figures_result AS SELECT source, load_id, patient_id, {own} "
        "FROM main.observation o WHERE value_number IS NOT NULL "
        f"UNION ALL SELECT source, load_id, patient_id, {part} FROM (SELECT source, load_id, patient_id, "
        "unnest(components) AS k FROM main.observation WHERE len(components) > 0) WHERE k.value_number IS NOT NULL"
    )


def _bins(connection: duckdb.DuckDBPyConnection, told: list[tuple[Any, ...]]) -> dict[tuple[Any, ...], list[int]]:
    """Rows between the first and last quantile, in BINS equal steps."""
    bins: dict[tuple[Any, ...], list[int]] = {}
    ranges = []
    for code, system, _, unit, _, _, quantiles in told:
        bins[code, system, unit] = [0] * BINS
        ranges.append((code, system, unit, quantiles[0], quantiles[-1]))
    if not ranges:
        return bins
    places = ", ".join(["(?, ?, ?, ?::DOUBLE, ?::DOUBLE)"] * len(ranges))
    found = connection.execute(
        f"SELECT r.code, r.code_system, r.harmonized_unit, least(floor((harmonized_value - low) / "
        f"greatest((high - low) / {BINS}, 1e-300)), {BINS - 1})::INTEGER AS bin, count(*) FROM figures_result r "
        f"JOIN (VALUES {places}) p(code, code_system, unit, low, high) ON r.code = p.code "
        "AND r.code_system IS NOT DISTINCT FROM p.code_system AND r.harmonized_unit IS NOT DISTINCT FROM p.unit "
        "WHERE harmonized_value BETWEEN low AND high GROUP BY ALL",
        [value for one in ranges for value in one],
    ).fetchall()
    for code, system, unit, number, rows in found:
        bins[code, system, unit][number] = rows
    return bins


def _sent(connection: duckdb.DuckDBPyConnection) -> dict[tuple[Any, ...], list[SentUnit]]:
    found = connection.execute(
        "SELECT code, code_system, harmonized_unit, value_unit, count(*) AS n, "
        f"CASE WHEN n >= {_LEAST} THEN approx_quantile(value_number, 0.5) END, any_value(unit_status) "
        "FROM figures_result WHERE harmonized_value IS NOT NULL AND code IS NOT NULL "
        "GROUP BY code, code_system, harmonized_unit, value_unit ORDER BY n DESC, value_unit"
    ).fetchall()
    sent: dict[tuple[Any, ...], list[SentUnit]] = defaultdict(list)
    for code, system, harmonized, unit, rows, median, status in found:
        sent[code, system, harmonized].append(SentUnit(unit, rows, median, status))
    return sent
