"""What is measured, and how laboratories write it: the LOINC part of the vocabulary.

This material contains content from LOINC (http://loinc.org). LOINC is copyright Regenstrief Institute, Inc.
and the LOINC Committee and is available at no cost under the license at http://loinc.org/license.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from sources.synth.tables import Row, rows


@dataclass(frozen=True, slots=True)
class Writing:
    """One laboratory's way to write an analyte: the number times ``factor`` plus ``offset``, to ``digits``.

    ``ucum`` is "" when the unit is sent as text alone, ``unit`` is "" when there is none at all. ``style``
    "plain" drops trailing zeros, "exponent" writes ``2.5e5``, "" keeps the zeros (``7.40``).
    """

    unit: str
    ucum: str
    factor: float
    offset: float
    digits: int
    style: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A result that is no number: coded, or text alone when ``system`` is ""."""

    system: str
    code: str
    display: str


@dataclass(frozen=True, slots=True)
class Analyte:
    """A LOINC code with its reference range ``low``-``high``; numbers are drawn about the middle of ``span``.

    Below ``least`` a laboratory reports ``<least``, above ``most`` ``>most``.
    """

    loinc: str
    display: str
    local: str
    kind: str
    low: float | None
    high: float | None
    span: tuple[float, float]
    least: float | None
    most: float | None
    writings: tuple[Writing, ...]
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """Analytes that are ordered together."""

    name: str
    loinc: str
    display: str
    category: str
    specimen: str
    specimen_display: str
    analytes: tuple[Analyte, ...]


@cache
def panels() -> Mapping[str, Panel]:
    """All panels by name."""
    members: dict[str, list[Analyte]] = {}
    for row in rows("analytes"):
        members.setdefault(row["panel"], []).append(_analyte(row))
    return {
        row["name"]: Panel(
            row["name"],
            row["loinc"] or members[row["name"]][0].loinc,
            row["display"] or members[row["name"]][0].display,
            row["category"],
            row["specimen"],
            row["specimen_display"],
            tuple(members[row["name"]]),
        )
        for row in rows("panels")
    }


def _analyte(row: Row) -> Analyte:
    low, high = _number(row["low"]), _number(row["high"])
    if row["bottom"]:
        span = float(row["bottom"]), float(row["top"])
    else:  # about one result in ten lies outside the reference range
        margin = 0.45 * ((high or 0.0) - (low or 0.0))
        span = max((low or 0.0) - margin, 0.0), (high or 0.0) + margin
    return Analyte(
        row["loinc"],
        row["display"],
        row["local"],
        row["kind"] or "quantity",
        low,
        high,
        span,
        _number(row["least"]),
        _number(row["most"]),
        _writings().get(row["loinc"], ()),
        _answers().get(row["loinc"], ()),
    )


@cache
def _writings() -> Mapping[str, tuple[Writing, ...]]:
    found: dict[str, tuple[Writing, ...]] = {}
    for row in rows("writings"):
        numbers = float(row["factor"]), float(row["offset"]), int(row["digits"])
        writing = Writing(row["unit"], row["ucum"], *numbers, row["style"])
        found[row["loinc"]] = (*found.get(row["loinc"], ()), writing)
    return found


@cache
def _answers() -> Mapping[str, tuple[Answer, ...]]:
    found: dict[str, tuple[Answer, ...]] = {}
    for row in rows("answers"):
        answer = Answer(row["system"], row["code"], row["display"])
        found[row["loinc"]] = (*found.get(row["loinc"], ()), answer)
    return found


def _number(text: str) -> float | None:
    return float(text) if text else None
