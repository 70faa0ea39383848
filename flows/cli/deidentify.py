"""``clinmart deidentify``."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.audits import audits
from flows.cli.status import JsonOption, MartOption
from schemas.errors import UsageError
from schemas.research import Ids, Method

if TYPE_CHECKING:
    from flows.deidentify import ResearchReport


@audits("deidentify")
def deidentify(
    mart: MartOption,
    out: Annotated[Path, typer.Option("--out", help="The copy: a DuckDB file; with --format parquet a folder.")],
    policy: Annotated[
        Path | None, typer.Option(help="What you decide otherwise, YAML: dates, ids, columns, quasi-identifiers.")
    ] = None,
    method: Annotated[
        Method | None,
        typer.Option(help="safe-harbor: years only. shifted-dates: days moved per patient, which is NO Safe Harbor."),
    ] = None,
    ids: Annotated[
        Ids | None, typer.Option(help="stable: the same in every copy of the mart. once: of this copy alone.")
    ] = None,
    format_: Annotated[str, typer.Option("--format", help="duckdb or parquet.")] = "duckdb",
    as_of: Annotated[
        str | None, typer.Option(help="Day on which ages are told, e.g. 2026-01-31 [default: today].")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a copy of a mart for analysts: no names, places, free text; ids that only your key can make again.

    What became of each column stands in its table etl.deidentification, how alike its people are in etl.anonymity.
    """
    from dataclasses import replace

    from flows.deidentify import deidentify as write
    from flows.keyring import keys_of, mart_at
    from schemas.research import ResearchPolicy
    from schemas.tables import all_tables
    from sources.research_policy import read_policy
    from stores.keys import Purpose

    if format_ not in ("duckdb", "parquet"):
        raise UsageError(f"--format {format_!r} is not known: give duckdb or parquet")
    columns = {table.name: table.column_names() for table in all_tables()}
    chosen = read_policy(policy, columns) if policy else ResearchPolicy()
    chosen = replace(chosen, method=method or chosen.method, ids=ids or chosen.ids)
    at = mart_at(mart)
    at.must_exist()
    key = keys_of(mart, create=True).current(Purpose.PSEUDONYM).secret if chosen.ids is Ids.STABLE else None
    report = write(at, out, chosen, key, _day(as_of), parquet=format_ == "parquet")
    if as_json:
        typer.echo(json.dumps(report.as_dict()))
    else:
        _print(report)


def _day(told: str | None) -> date:
    if told is None:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(told)
    except ValueError:
        raise UsageError(f"--as-of {told!r} is no day: give one as 2026-01-31") from None


def _print(report: ResearchReport) -> None:
    from flows.cli.show import print_rows

    print_rows("tables", [{"table": name, "rows": rows} for name, rows in report.tables.items()])
    shared = [(one.table, group) for one in report.anonymity for group in one.groups]
    print_rows(
        "people who share their quasi-identifiers",
        [
            {"table": table, "k": _span(k.least, k.most), "classes": k.classes, "patients": k.patients}
            for table, k in shared
        ],
    )
    typer.echo(f"{report.policy.method}: {report.to}")
    typer.echo(f"clinmart: {report.statement}", err=True)


def _span(least: int, most: int | None) -> str:
    return f"{least} and more" if most is None else f"{least}" if least == most else f"{least} to {most}"
