"""What a person sees after a replay."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from flows.cli.show import print_rows


def print_replay(report: Mapping[str, Any], mart: Path) -> None:
    """The report as a table on stdout, with what to do next."""
    rows = [{"resource": kind, **counts} for kind, counts in report["resources"].items()]
    print_rows(f"quarantine → {mart}", rows)
    typer.echo(
        f"{report['status']}: {report['replayed']:,} lines taken in, {report['open']:,} refused again, "
        f"{report['dead']:,} given up"
    )
    if report["cut_short"]:
        typer.echo(f"{report['cut_short']:,} lines were too long to be kept whole: load their files again")
    if report["open"]:
        typer.echo(f"refused lines and why: clinmart quarantine list --mart {mart}")
