"""What a commit unit brings besides rows: findings, paths that no column reads, parts of messages and documents."""

from __future__ import annotations

import duckdb

from schemas.bookkeeping import SECTION_TABLE, SEGMENT_TABLE
from schemas.records import LoadReport
from schemas.staged import StagedUnit
from stores.records import insert_records
from stores.sql import files, text


def keep_findings(connection: duckdb.DuckDBPyConnection, unit: StagedUnit, report: LoadReport) -> None:
    """What was found; what is only counted is one row for the whole unit."""
    if unit.findings:
        found = f"SELECT * FROM read_parquet({files(unit.findings)})"
        one_by_one, counted = f"{found} WHERE rows IS NULL", f"{found} WHERE rows IS NOT NULL"
        connection.execute(
            f"INSERT INTO etl.validation BY NAME SELECT {text(report.load_id)} AS load_id, "
            f"{text(report.source)} AS source, * FROM ({one_by_one} UNION ALL "
            f"SELECT * REPLACE (sum(rows) AS rows) FROM ({counted}) GROUP BY ALL)"
        )


def keep_unread(connection: duckdb.DuckDBPyConnection, unit: StagedUnit, report: LoadReport) -> None:
    """How often sampled rows have a path that no column reads."""
    rows = [
        {
            "load_id": report.load_id,
            "source": report.source,
            "resource_type": kind,
            "path": path,
            "rows": rows,
            "sampled": unit.sampled.get(kind, 0),
        }
        for (kind, path), rows in sorted(unit.unread.items())
    ]
    insert_records(connection, "unread", rows)


def keep_parts(connection: duckdb.DuckDBPyConnection, unit: StagedUnit, report: LoadReport) -> None:
    """Keep what no table reads of messages and documents; what came before is there."""
    for table, paths, whole in (
        (SEGMENT_TABLE, unit.segments, "message_hash"),
        (SECTION_TABLE, unit.sections, "document_hash"),
    ):
        if paths:
            connection.execute(
                f"INSERT INTO main.{table} BY NAME SELECT DISTINCT ON ({whole}, ordinal) "
                f"{text(report.source)} AS source, {text(report.load_id)} AS load_id, * "
                f"FROM read_parquet({files(paths)}) s ANTI JOIN "
                f"(SELECT {whole}, ordinal FROM main.{table} WHERE source = {text(report.source)}) k "
                f"USING ({whole}, ordinal)"
            )
