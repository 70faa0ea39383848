"""What a commit changed, told as metrics."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import duckdb

from schemas import signals
from schemas.records import DISPOSITIONS, Counts, LoadReport
from schemas.signals import COMMITS, LAST_LOAD, QUARANTINE, ROWS, WATERMARK_LAG
from stores.quarantine import STANDING


def tell_commit(source: str, counts: Mapping[str, Counts]) -> None:
    """Rows by type and disposition of one commit."""
    signals.tell(COMMITS, 1, source=source)
    for kind, one in counts.items():
        told = one.as_dict()
        for name in DISPOSITIONS:
            if told[name]:
                signals.tell(ROWS, told[name], source=source, resource_type=kind, disposition=name)


def tell_load(connection: duckdb.DuckDBPyConnection, report: LoadReport) -> None:
    """How deep the quarantine is, how old the newest data of a source are, and when its load ended."""
    if not signals.heard():
        return
    now = datetime.now(UTC)
    standing = connection.execute(
        "SELECT reason, count(*) FILTER (source = $source AND state IN " + STANDING + ") FROM etl.quarantine "
        "GROUP BY reason",
        {"source": report.source},
    ).fetchall()
    for reason, lines in standing:
        signals.tell(QUARANTINE, lines, source=report.source, reason=reason)
    newest = connection.execute(
        "SELECT resource_type, event_watermark FROM etl.watermark WHERE source = ? AND event_watermark IS NOT NULL",
        [report.source],
    ).fetchall()
    for kind, at in newest:
        signals.tell(WATERMARK_LAG, (now - at).total_seconds(), source=report.source, resource_type=kind)
    signals.tell(LAST_LOAD, now.timestamp(), source=report.source, status=report.status)
