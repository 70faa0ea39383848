"""A crosswalk as CSV: source_system, source_code, target_system, target_code, equivalence, map_version.

`source_display` and `target_display` are read too where they are there; other columns are the user's own.
"""

from __future__ import annotations

import csv
import difflib
import io

from schemas.crosswalk import CLOSENESS, Closeness
from sources.crosswalks.rows import ReadMap, Row, fault, shown, system_of

COLUMNS = ("source_system", "source_code", "target_system", "target_code", "equivalence", "map_version")
DISPLAYS = ("source_display", "target_display")


def read_table(uri: str, text: str) -> list[ReadMap]:
    """The maps of a CSV file, one for each `map_version`. UsageError for the first row that is not right."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    maps: dict[str, ReadMap] = {}
    line = 1
    try:
        header = _header(uri, next(reader, []))
        line = reader.line_num + 1
        for fields in reader:
            if fields:
                version, row = _row(uri, f"row {line}", header, fields)
                maps.setdefault(version, ReadMap(None, version or None)).rows.append(row)
            line = reader.line_num + 1
    except csv.Error as error:
        raise fault(uri, f"row {line}", f"is no CSV ({error}): quote what holds commas, quotes or line ends") from None
    if not maps:
        raise fault(uri, "row 2", "there are no rows below the header: give at least one")
    return list(maps.values())


def _header(uri: str, names: list[str]) -> dict[str, int]:
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        if len(names) == 1 and any(mark in names[0] for mark in ";\t"):
            raise fault(
                uri, "row 1", f"the columns are not separated by commas ({shown(names[0])}): write it with them"
            )
        near = difflib.get_close_matches(missing[0], names, 1)
        there = f"there is {near[0]!r}" if near else f"there are {shown(', '.join(names))}" if names else "it is empty"
        wanted = ", ".join(COLUMNS)
        raise fault(uri, "row 1", f"no column {', '.join(missing)} ({there}): a crosswalk is a ConceptMap in JSON or a "
                    f"CSV file with the columns {wanted}")  # fmt: skip
    twice = [name for name in (*COLUMNS, *DISPLAYS) if names.count(name) > 1]
    if twice:
        raise fault(uri, "row 1", f"there are several columns {twice[0]!r}: keep one")
    return {name: names.index(name) for name in (*COLUMNS, *DISPLAYS) if name in names}


def _row(uri: str, place: str, header: dict[str, int], fields: list[str]) -> tuple[str, Row]:
    if len(fields) <= max(header.values()):
        raise fault(uri, place, f"has {len(fields)} fields, fewer than the header: fill it up")
    told = {name: fields[at] for name, at in header.items()}
    for name in COLUMNS:
        if told[name] != told[name].strip():
            raise fault(uri, place, f"{name} {shown(told[name])} has spaces around it: take them away")
    for name in ("source_system", "source_code", "equivalence"):
        if not told[name]:
            raise fault(uri, place, f"{name} is empty: fill it in, or take the row away")
    closeness = CLOSENESS.get(told["equivalence"])
    if closeness is None:
        raise fault(uri, place, f"equivalence {shown(told['equivalence'])} is not known: give one of "
                    f"{', '.join(CLOSENESS)}")  # fmt: skip
    for name in ("target_system", "target_code"):
        if not told[name] and closeness is not Closeness.NONE:
            raise fault(uri, place, f"{name} is empty, but equivalence is {told['equivalence']}: fill it in, or say "
                        "unmatched")  # fmt: skip
    system, version = system_of(told["source_system"])
    target, target_version = system_of(told["target_system"])
    return told["map_version"], Row(
        place,
        system,
        version,
        told["source_code"],
        told.get("source_display") or None,
        target or None,
        target_version,
        told["target_code"] or None,
        told.get("target_display") or None,
        told["equivalence"],
    )
