"""``clinmart units``: what a load makes of units, asked from outside. CSV in, CSV out."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import UsageError

app = typer.Typer(
    name="units",
    help="Ask what a load makes of units of measure (UCUM), and why; CSV on stdin, CSV on stdout.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_Preferred = Annotated[
    Path | None, typer.Option("--preferred-units", help="CSV with columns loinc and ucum, before the project's own.")
]


@app.command("resolve")
def resolve(preferred_units: _Preferred = None) -> None:
    """What units mean: `unit[,code]` in, `unit,ucum,status,why` out; `code` is the LOINC code of what is measured.

    Status: ucum (as sent), mapped (another spelling), ambiguous, not_a_unit, unknown, absent.
    """
    from flows.preferred_units import read_preferred_units
    from transforms.units.ask import meaning
    from transforms.units.harmonise import Harmoniser

    harmoniser = Harmoniser(read_preferred_units(preferred_units))
    answers = []
    for row in _asked({"unit"}):
        found, why = meaning(row["unit"], row.get("code", ""), harmoniser)
        answers.append((row["unit"], found.ucum, found.status.value, why))
    _answer(("unit", "ucum", "status", "why"), answers)


@app.command("convert")
def convert(preferred_units: _Preferred = None) -> None:
    """Numbers in another unit: `value,from,to[,code]` in, `value,unit,status,why` out; the value is empty when refused.

    Without `to` it is the preferred unit of the LOINC `code`. Status: converted, incompatible, ambiguous, not_a_unit,
    unknown, absent, not_a_number.
    """
    from flows.preferred_units import read_preferred_units
    from transforms.units import ask
    from transforms.units.harmonise import Harmoniser

    harmoniser = Harmoniser(read_preferred_units(preferred_units))
    answers = []
    for row in _asked({"value", "from"}):
        made = ask.convert(row["value"], row["from"], row.get("to", ""), row.get("code", ""), harmoniser)
        answers.append((made.value, made.unit, made.status, made.why))
    _answer(("value", "unit", "status", "why"), answers)


@app.command("report")
def report(
    mart: Annotated[Path, typer.Option(help="The mart.")],
    every: Annotated[bool, typer.Option("--all", help="Also the units that were understood.")] = False,
) -> None:
    """The units in a mart with the rows that have them, as CSV: which were understood, and which were left alone."""
    from flows.keyring import mart_at
    from stores.result_views import UNIT_COLUMNS, units_in

    at = mart_at(mart)
    at.must_exist()
    with at.connect(read_only=True) as connection:
        _answer(UNIT_COLUMNS, units_in(connection, every=every))


def _asked(needed: set[str]) -> Iterator[Mapping[str, str]]:
    """The rows of stdin; every cell is a text."""
    sys.stdin.reconfigure(encoding="utf-8-sig", newline="")  # type: ignore[union-attr]  # stdin is a text file here
    reader = csv.DictReader(sys.stdin, restval="")
    try:
        missing = needed - set(reader.fieldnames or ())
        if missing:
            given = ", ".join(reader.fieldnames or ()) or "nothing"
            raise UsageError(f"the CSV on stdin has no column {', '.join(sorted(missing))}: its first line is {given}")
        for row in reader:
            yield {name: cell for name, cell in row.items() if name is not None}
    except (UnicodeDecodeError, csv.Error) as error:
        place = f"after line {reader.line_num}"
        raise UsageError(f"stdin is no CSV in UTF-8 {place} ({type(error).__name__}): mend it there") from None


def _answer(header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
