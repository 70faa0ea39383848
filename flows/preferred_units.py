"""A user's own preferred units: a CSV with the columns `loinc` and `ucum`."""

from __future__ import annotations

import csv
from pathlib import Path

from schemas.errors import UsageError
from transforms.units.ucum import InvalidUnitError, parse


def read_preferred_units(path: Path | None) -> dict[str, str]:
    """UCUM units by LOINC code, none without a file; UsageError with the line for what cannot be used."""
    if path is None:
        return {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read(path, csv.DictReader(file, restval=""))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            f"{path} cannot be read as CSV ({type(error).__name__}): give a file with loinc,ucum"
        ) from None


def _read(path: Path, rows: csv.DictReader[str]) -> dict[str, str]:
    if not {"loinc", "ucum"} <= set(rows.fieldnames or ()):
        raise UsageError(f"{path} has the columns {', '.join(rows.fieldnames or ())}: it needs loinc and ucum")
    units: dict[str, str] = {}
    for row in rows:
        place = f"{path} line {rows.line_num}"
        code, unit = row["loinc"].strip(), row["ucum"].strip()
        if not code or not unit:
            raise UsageError(f"{place}: a LOINC code and a unit must both be there")
        try:
            parse(unit)
        except InvalidUnitError as error:
            raise UsageError(f"{place}: {unit!r} is no UCUM unit ({error})") from None
        if units.setdefault(code, unit) != unit:
            raise UsageError(f"{place}: {code} has two units, {units[code]!r} and {unit!r}")
    return units
