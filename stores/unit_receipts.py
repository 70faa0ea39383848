"""The receipts of a commit unit, each with the lines of its partition that were refused."""

from __future__ import annotations

from datetime import datetime

import duckdb

from schemas.records import VIEW_CHECK, LoadReport, Receipt
from schemas.staged import StagedUnit
from stores.records import counts_rows, insert_records
from stores.sql import files, text


def save_receipts(
    connection: duckdb.DuckDBPyConnection, unit: StagedUnit, report: LoadReport, now: datetime, commit_id: str
) -> None:
    """Write the unit's receipts, in place of earlier ones of the same bytes."""
    if not unit.receipts:
        return
    new = ", ".join(f"({text(r.sha256.hex())}, {text(r.as_of.isoformat())}::TIMESTAMPTZ)" for r in unit.receipts)
    connection.execute(
        f"DELETE FROM etl.receipt r USING (VALUES {new}) n(sha256, as_of) "
        "WHERE r.source = ? AND r.sha256 = n.sha256 AND r.as_of <= n.as_of",
        [report.source],
    )
    refused = _refused_lines(connection, unit)
    rows = [
        _receipt(receipt, report, now) | {"refused": refused.get(n), "commit_id": commit_id}
        for n, receipt in enumerate(unit.receipts)
    ]
    insert_records(connection, "receipt", rows)


def _refused_lines(connection: duckdb.DuckDBPyConnection, unit: StagedUnit) -> dict[int, list[str]]:
    """The names of the lines of each partition that were refused, but for those that only a view refused."""
    if not unit.rejections:
        return {}
    places = ", ".join(f"({n}, {text(r.partition.uri)}, {r.partition.start})" for n, r in enumerate(unit.receipts))
    return dict(
        connection.execute(
            f"SELECT p.n, list(r.quarantine_id ORDER BY r.quarantine_id) FROM read_parquet({files(unit.rejections)}) r "
            f"ASOF JOIN (VALUES {places}) p(n, uri, start) ON r.uri = p.uri AND r.byte_offset >= p.start "
            f"WHERE NOT starts_with(coalesce(r.check_name, ''), '{VIEW_CHECK}') GROUP BY 1"
        ).fetchall()
    )


def _receipt(receipt: Receipt, report: LoadReport, now: datetime) -> dict[str, object]:
    return {
        "source": report.source,
        "sha256": receipt.sha256.hex(),
        "size": receipt.partition.size,
        "uri": receipt.partition.uri,
        "range_start": receipt.partition.start,
        "as_of": receipt.as_of,
        "as_of_given": receipt.as_of_given,
        "lines": receipt.lines,
        "held": receipt.held,
        "load_id": report.load_id,
        "committed_at": now,
        "resources": counts_rows(receipt.resources),
        "inputs": counts_rows(receipt.inputs),
        "unrouted": receipt.unrouted,
        "routes": receipt.routes,
        "mapping": receipt.mapping,
    }
