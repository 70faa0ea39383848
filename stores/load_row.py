"""A load's own row in ``etl.load``."""

from __future__ import annotations

from datetime import datetime
from importlib.metadata import version

import duckdb

from schemas.records import LoadReport
from stores.records import counts_rows, insert_records


def save_load(connection: duckdb.DuckDBPyConnection, report: LoadReport, *, finished: datetime | None) -> None:
    """Write the load's own row, in place of an earlier one of the same load."""
    connection.execute("DELETE FROM etl.load WHERE load_id = ?", [report.load_id])
    row = {
        "load_id": report.load_id,
        "source": report.source,
        "started_at": report.started_at,
        "finished_at": finished,
        "as_of": report.as_of,
        "status": report.status if finished else "running",
        "bytes": report.bytes,
        "seconds": report.seconds,
        "resources": counts_rows(report.resources),
        "inputs": counts_rows(report.inputs),
        "unrouted": report.unrouted,
        "late": [{"resource_type": kind, "rows": rows} for kind, rows in sorted(report.late.items())],
        "clinmart_version": version("clinmart"),
        "kind": report.kind,
    }
    insert_records(connection, "load", [row])
