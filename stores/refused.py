"""What of a commit unit was refused: into the quarantine, and out of it again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import duckdb

from schemas.errors import UsageError
from schemas.reasons import Reason
from schemas.records import Counts, LoadReport
from schemas.staged import StagedUnit
from stores.quarantine import STANDING
from stores.replays import replace_line
from stores.sql import files, text


def keep_refused(
    connection: duckdb.DuckDBPyConnection,
    unit: StagedUnit,
    report: LoadReport,
    counts: dict[str, Counts],
    now: datetime,
) -> None:
    """Quarantine what was refused. The name of a refused line is its place and payload, so a re-run adds nothing."""
    for resources in (*(receipt.resources for receipt in unit.receipts), unit.refused_again):
        for name, one in resources.items():
            refused = counts.setdefault(name, Counts())
            refused.quarantined += one.quarantined
            refused.suppressed += one.suppressed
            refused.read += one.quarantined + one.suppressed
    if unit.replayed:
        connection.execute(
            f"UPDATE etl.quarantine SET state = 'replayed' WHERE source = ? AND reason = '{Reason.LATE}' "
            "AND state = 'open' AND uri IN (SELECT unnest(?))",
            [report.source, sorted(set(unit.replayed))],
        )
    if unit.remapped:
        _remapped(connection, unit, report, now)
    if not unit.rejections:
        return
    came = f"read_parquet({files(unit.rejections)})"
    connection.execute(
        f"UPDATE etl.quarantine q SET as_of = r.as_of FROM (SELECT quarantine_id, max(as_of) AS as_of FROM {came} "
        "GROUP BY 1) r WHERE q.quarantine_id = r.quarantine_id AND (q.as_of IS NULL OR q.as_of < r.as_of)"
    )
    connection.execute(
        f"INSERT INTO etl.quarantine BY NAME SELECT {text(report.load_id)} AS load_id, "
        f"{text(report.source)} AS source, * , {text(now.isoformat())}::TIMESTAMPTZ AS quarantined_at, "
        f"'open' AS state FROM {came} r ANTI JOIN etl.quarantine q USING (quarantine_id)"
    )


def _remapped(connection: duckdb.DuckDBPyConnection, unit: StagedUnit, report: LoadReport, now: datetime) -> None:
    """Lines of files that are read by another mapping: those that it takes leave the quarantine, those that it refuses,
    though one before it took them, stand in it again.
    """
    came = f"(SELECT quarantine_id FROM read_parquet({files(unit.rejections)}))"
    of_files = "source = $source AND uri IN (SELECT unnest($uris))"
    told = {"source": report.source, "uris": sorted(set(unit.remapped))}
    if unit.rejections:
        connection.execute(
            "UPDATE etl.quarantine SET state = 'open', settled_by = NULL, settled_at = NULL "
            f"WHERE {of_files} AND state = 'replayed' AND quarantine_id IN {came}",
            told,
        )
    left = f" AND quarantine_id NOT IN {came}" if unit.rejections else ""
    connection.execute(
        f"UPDATE etl.quarantine SET state = 'replayed', settled_by = $load, settled_at = $now WHERE {of_files} "
        f"AND state IN {STANDING}{left}",
        told | {"load": report.load_id, "now": now},
    )


def settle_replaced(
    connection: duckdb.DuckDBPyConnection,
    quarantine_id: str,
    report: LoadReport,
    counts: Mapping[str, Counts],
    now: datetime,
) -> None:
    """Settle a quarantined line by the one that was loaded for it, if that was accepted.

    Raises UsageError when another number of lines was loaded: then it cannot be told which one it is.
    """
    read = sum(one.read for one in counts.values())
    if read != 1:
        raise UsageError(
            f"--replaces takes one corrected line, and there are {read} to load: give a file with it alone"
        )
    if not sum(one.quarantined for one in counts.values()):
        replace_line(connection, quarantine_id, report.load_id, now)
