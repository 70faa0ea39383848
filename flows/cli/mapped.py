"""How ``clinmart map check`` shows what it found."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.mapping_check import Checked

_LONGEST = 60  # characters of a value that are shown


def print_checked(found: Checked, file: Path) -> None:
    """The first rows side by side, one column of the mart a line; then what would be refused."""
    console = Console(soft_wrap=True)
    for name, rows in found.rows.items():
        if not rows:
            continue
        shown = Table(title=f"{name}: the first of {found.landed[name]:,} rows", title_justify="left")
        shown.add_column("column")
        for number in range(1, len(rows) + 1):
            shown.add_column(f"row {number}", overflow="fold")
        for column in rows[0]:
            values = [row[column] for row in rows]
            if any(value is not None for value in values):
                shown.add_row(column, *(Text(_shortened(value)) for value in values))
        console.print(shown)
    landed = ", ".join(f"{rows:,} in {name}" for name, rows in found.landed.items()) or "none"
    part = "" if found.whole else " (the beginning of the file)"
    console.print(f"{file.name}: {found.records:,} records looked at{part}; rows: {landed}", markup=False)
    for one in found.refused:
        what = f"{one['reason']} ({one['column']})" if one["column"] else one["reason"]
        console.print(
            f"refused: {one['records']:,} for {what}, the first on line {one['first_line']}: {one['message']}",
            markup=False,
        )
    for name, many in found.alike.items():
        console.print(
            f"{name}: {many:,} rows have the id of another, and of those only the newest is kept: are these all keys?",
            markup=False,
        )
    if found.unused:
        console.print(f"columns that the mapping does not read: {', '.join(found.unused)}", markup=False)


def _shortened(value: object) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
