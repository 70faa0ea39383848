"""Rows as a table on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

_WIDE = 160


def print_rows(title: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Print records that share their keys; "none" when there are none."""
    console = Console(highlight=False)
    if not console.is_terminal:  # nobody's screen sets a width
        console = Console(highlight=False, width=_WIDE)
    if not rows:
        console.print(f"{title}: none")
        return
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for name, value in rows[0].items():
        number = isinstance(value, int | float)
        table.add_column(name.replace("_", " "), justify="right" if number else "left", no_wrap=number)
    for row in rows:
        table.add_row(*(_text(value) for value in row.values()))
    console.print(table)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%SZ}"
    return str(value)
