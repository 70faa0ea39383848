"""What a person sees after a load."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from schemas.records import DISPOSITIONS, LoadReport


def print_report(report: LoadReport, mart: Path) -> None:
    """The report as a table on stdout, with what to do next."""
    console = Console(highlight=False)
    shown = [
        name for name in DISPOSITIONS if name == "applied" or any(getattr(c, name) for c in report.resources.values())
    ]
    table = Table(title=f"{report.source} → {mart}", title_justify="left", show_footer=len(report.resources) > 1)
    total = report.total()
    table.add_column("resource", footer="all")
    table.add_column("read", justify="right", footer=f"{total.read:,}")
    for name in shown:
        table.add_column(name, justify="right", footer=f"{getattr(total, name):,}")
    for kind, counts in sorted(report.resources.items()):
        table.add_row(kind, f"{counts.read:,}", *(f"{getattr(counts, name):,}" for name in shown))
    console.print(table)
    speed = f"{report.bytes / 1e6:,.1f} MB in {report.seconds:.1f} s"
    console.print(f"{report.status}: {total.read:,} resources, {speed} (load {report.load_id})")
    for name, one in report.sources.items():
        messages = sum(counts.read for counts in one.inputs.values())
        console.print(f"source {name}: {messages:,} messages, {one.total().read:,} resources (load {one.load_id})")
    if report.unrouted:
        console.print(f"unrouted: {report.unrouted:,} messages that no rule takes are kept whole in hl7_segment")
    if late := sum(report.late.values()):
        console.print(f"late: {late:,} rows were older than the newest of their type that was loaded before")
    if pairs := sum(report.conflicts.values()):
        console.print(f"{pairs:,} pairs of versions are in conflict: see code version_conflict in etl.validation")
    if report.unmapped:
        _print_unmapped(console, report)
    if total.quarantined:
        console.print(f"refused lines and why: clinmart quarantine list --mart {mart}")


def _print_unmapped(console: Console, report: LoadReport) -> None:
    """The codes without a target, the most frequent first."""
    table = Table(title="codes without a target, the most frequent", title_justify="left")
    for name in ("resource", "column", "system", "code", "why"):
        table.add_column(name, overflow="fold")
    table.add_column("fields", justify="right")
    for one in report.unmapped_codes:
        told = (one["resource_type"], one["column_name"], one["system"], one["code"] or "(no code)", one["reason"])
        table.add_row(*told, f"{one['fields']:,}")
    console.print(table)
    console.print(f"{report.unmapped:,} coded fields got no target: see etl.unmapped, etl.crosswalk_entry in the mart")
