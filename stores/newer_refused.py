"""Rows of which a version stands in the quarantine that came with the same load or a later one."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.table import Table
from stores.quarantine import STANDING
from stores.sql import quoted, text

NEWER_REFUSED = "newer_refused"


def flagged(table: Table) -> str:
    """SQL of the table's rows with a boolean ``newer_refused`` after the columns."""
    return (
        f"SELECT t.*, f.id IS NOT NULL AS {NEWER_REFUSED} FROM main.{quoted(table.name)} t "
        f"LEFT JOIN ({_refused(table)}) f ON f.source = t.source AND f.id = t.id"
    )


def refused_rows(tables: Sequence[Table]) -> str:
    """SQL of the flagged rows alone: ``table_name``, ``source``, ``id``."""
    parts = [f"SELECT {text(table.name)} AS table_name, source, id FROM ({_refused(table)})" for table in tables]
    return " UNION ALL ".join(parts)


def _refused(table: Table) -> str:
    return (
        f"SELECT DISTINCT r.source, r.id FROM main.{quoted(table.name)} r JOIN etl.quarantine q "
        f"ON q.source = r.source AND q.resource_id = r.id AND q.resource_type = {text(table.resource_type)} "
        "JOIN etl.load ql ON ql.load_id = q.load_id JOIN etl.load rl ON rl.load_id = r.load_id "
        f"WHERE q.state IN {STANDING} AND ql.started_at >= rl.started_at"
    )
