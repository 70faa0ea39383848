"""All figures of a mart, in one go over an open connection."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import duckdb

from schemas.table import Table
from stores.figures.columns import by_month, last_loads, table_figures
from stores.figures.loads import arrivals, lags, loads, refused, worst_files, worst_findings
from stores.figures.records import Drift, Figures, Months, TableFigures
from stores.figures.results import results, unknown_units, value_drift
from stores.overview import overview, table_rows

_DRIFTS = 25


def collect(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table], now: datetime) -> Figures:
    """The figures of the mart as it is; ``tables`` are the models. Reads each table three times at most."""
    rows = dict(table_rows(connection))
    earlier = {one["table"]: one["earlier_versions"] for one in overview(connection)["tables"]}
    split = last_loads(connection)
    told: list[TableFigures] = []
    months: list[Months] = []
    drift: list[Drift] = []
    known = {table.name: table for table in tables}
    for name, number in rows.items():
        if not number:
            continue
        if name not in known:
            told.append(TableFigures(name, number, earlier.get(name, 0)))
            continue
        figures, changed = table_figures(connection, known[name], earlier.get(name, 0), split)
        told.append(figures)
        drift += changed
        if (counted := by_month(connection, known[name], now.date())) is not None:
            months.append(counted)
    latest, in_all = loads(connection)
    measured, measured_in_all = results(connection)
    drift += value_drift(connection, split)
    deleted = connection.execute("SELECT count(*) FROM etl.tombstone WHERE superseded_by IS NULL").fetchone()
    return Figures(
        made_at=now,
        loads=latest,
        loads_in_all=in_all,
        arrivals=arrivals(connection),
        months=months,
        tables=told,
        deleted=deleted[0] if deleted else 0,
        results=measured,
        results_in_all=measured_in_all,
        lags=lags(connection),
        drift=sorted(drift, key=lambda one: -one.strength)[:_DRIFTS],
        refused=refused(connection),
        trouble=[*worst_files(connection), *worst_findings(connection), *unknown_units(connection)],
    )
