"""What a mart keeps of codes: the maps of each load, and which systems and codes it met."""

from __future__ import annotations

from typing import Any

import duckdb
import polars as pl

from schemas.arrow import Streamed
from schemas.bookkeeping import BOOKKEEPING
from schemas.crosswalk import Crosswalk
from schemas.records import LoadReport
from schemas.staged import StagedUnit
from stores.quarantine import records
from stores.sql import files, quoted, text

_TOP = 5  # codes that a report names


def save_codes(
    connection: duckdb.DuckDBPyConnection, unit: StagedUnit, report: LoadReport, crosswalk: Crosswalk | None
) -> None:
    """Write the crosswalk and what the unit met in coded columns; inside a transaction."""
    if crosswalk is not None:
        _save_crosswalk(connection, crosswalk, report.load_id)
    if unit.codes:
        met = f"read_parquet({files(unit.codes)})"
        _add(
            connection,
            report,
            "alias",
            {"sent": "sent", "canonical": "system"},
            "codings",
            f"{met} WHERE met = 'alias'",
        )
        keys = {"system": "system", "code": "code", "reason": "met"}
        _add(connection, report, "unmapped", keys, "fields", f"{met} WHERE met <> 'alias'")


def unmapped(connection: duckdb.DuckDBPyConnection, load_id: str) -> tuple[int, list[dict[str, Any]]]:
    """The coded fields of a load that got no target, and the most frequent codes of them."""
    row = connection.execute(
        "SELECT coalesce(sum(fields), 0)::BIGINT FROM etl.unmapped WHERE load_id = ?", [load_id]
    ).fetchone()
    top = connection.execute(
        "SELECT resource_type, column_name, system, code, reason, fields FROM etl.unmapped WHERE load_id = ? "
        f"ORDER BY fields DESC, resource_type, column_name, system, code, reason LIMIT {_TOP}",
        [load_id],
    )
    return 0 if row is None else int(row[0]), records(top)


def loads_with(connection: duckdb.DuckDBPyConnection, crosswalk: Crosswalk) -> set[str]:
    """The loads that were given the same maps."""
    wanted = sorted({one.sha256 for one in crosswalk.maps})
    found = connection.execute(
        "SELECT load_id FROM etl.crosswalk GROUP BY load_id HAVING list_sort(list(DISTINCT sha256)) = ?", [wanted]
    )
    return {load_id for (load_id,) in found.fetchall()}


def _save_crosswalk(connection: duckdb.DuckDBPyConnection, crosswalk: Crosswalk, load_id: str) -> None:
    """Name the load's maps, once; keep their entries where no earlier load of the same files has."""
    if connection.execute("SELECT 1 FROM etl.crosswalk WHERE load_id = ? LIMIT 1", [load_id]).fetchall():
        return
    maps = pl.DataFrame(
        [(n, load_id, m.uri, m.sha256, m.url, m.version, m.entries) for n, m in enumerate(crosswalk.maps)],
        schema=["map", "load_id", "uri", "sha256", "url", "version", "entries"],
        orient="row",
        schema_overrides={"map": pl.UInt32, "url": pl.String, "version": pl.String},
    )
    entries = crosswalk.entries.join(maps.select("map", "sha256", "url", "version"), on="map", maintain_order="left")
    frames = {"crosswalk_entry": entries, "crosswalk": maps}
    for table, frame in frames.items():
        columns = ", ".join(quoted(c.name) for c in BOOKKEEPING[table])
        known = "ANTI JOIN etl.crosswalk_entry k USING (sha256)" if table == "crosswalk_entry" else ""
        connection.register("~rows", Streamed(frame))
        try:
            connection.execute(f'INSERT INTO etl.{table} ({columns}) SELECT {columns} FROM "~rows" r {known}')
        finally:
            connection.unregister("~rows")


def _add(
    connection: duckdb.DuckDBPyConnection,
    report: LoadReport,
    table: str,
    keys: dict[str, str],
    number: str,
    staged: str,
) -> None:
    """Add staged counts to those of the load's earlier commits; ``keys`` are columns and what they are staged as."""
    keys = {"resource_type": "resource_type", "column_name": "column_name"} | keys
    named = ", ".join(f"{was} AS {key}" for key, was in keys.items())
    same = " AND ".join(f"t.{key} IS NOT DISTINCT FROM s.{key}" for key in keys)
    columns = ", ".join(("load_id", "source", *keys, number))
    values = ", ".join((text(report.load_id), text(report.source), *(f"s.{key}" for key in keys), "s.n"))
    connection.execute(
        f"MERGE INTO etl.{table} t USING (SELECT {named}, sum(codings)::BIGINT AS n FROM {staged} GROUP BY ALL) s "
        f"ON t.load_id = {text(report.load_id)} AND {same} "
        f"WHEN MATCHED THEN UPDATE SET {number} = t.{number} + s.n "
        f"WHEN NOT MATCHED THEN INSERT ({columns}) VALUES ({values})"
    )
