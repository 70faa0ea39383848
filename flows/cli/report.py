"""``clinmart report``: a page that shows what is in a mart."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.audits import audits
from flows.cli.status import JsonOption, MartOption


@audits("report", looks=True, required=False)
def report(
    mart: MartOption,
    out: Annotated[Path | None, typer.Option("--out", help="The page to write [default: MART.html].")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write one HTML page: loads, rows over time, quarantine, drift, results with their units, columns.

    It needs no network, holds no value of a single person, and follows the light or dark of your screen.
    """
    from flows.keyring import mart_at
    from flows.report import write_report
    from schemas.tables import all_tables
    from stores.figures import collect

    began = time.monotonic()
    at = mart_at(mart)
    at.must_exist()
    with at.connect(read_only=True) as connection:
        figures = collect(connection, all_tables(), datetime.now(UTC))
    page = out or mart.with_name(f"{mart.name}.html")
    write_report(figures, mart.name, page)
    seconds, size = time.monotonic() - began, page.stat().st_size
    if as_json:
        rows = sum(table.rows for table in figures.tables)
        typer.echo(json.dumps({"page": str(page), "bytes": size, "rows": rows, "seconds": round(seconds, 3)}))
    else:
        typer.echo(f"{page}: {size / 1e3:,.0f} kB, made in {seconds:.1f} s")
