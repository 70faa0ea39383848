"""Numbers that may be a person's age: above 89 they are not told (45 CFR 164.514(b)(2)(i)(C))."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from schemas.naming import harmonized_names
from schemas.table import LITERAL_MARK, NUMBER_MARK, Column, Element, Mode
from stores.research.decision import Made, Place

# LOINC codes whose value is a person's age.
AGE_CODES = ("30525-0", "21612-7", "21611-9", "29553-5", "63900-5", "35659-2", "39016-1")
_BOUNDS = ("_low", "_high")


def age_choices(elements: Sequence[Element]) -> set[str]:
    """The choice elements (`onset`) that may be sent as an Age."""
    return {
        element.name.removesuffix("_type")
        for element in elements
        if any(read.mode is Mode.TYPE and "Age" in read.labels for read in element.reads)
    }


def without_high_age(column: Column, elements: Sequence[Element]) -> Made | None:
    """The column with null for an age over 89, where it can hold an age at all."""
    for name in age_choices(elements):
        if column.name in _parts(name):
            return Made(column.name, functools.partial(_young, column.name, f"{name}{NUMBER_MARK}", f"{name}_unit_code"))
        if column.name in [f"{name}{end}" for end in _BOUNDS]:
            return Made(column.name, functools.partial(_young, column.name, column.name, f"{column.name}_unit"))
    names = {c.name for element in elements for c in element.columns}
    if {"code", "value_number", "value_unit_code"} <= names and column.name in _parts("value"):
        return Made(column.name, functools.partial(_young_by_code, column.name))
    return None


def _parts(name: str) -> tuple[str, ...]:
    return (f"{name}{NUMBER_MARK}", f"{name}{LITERAL_MARK}", harmonized_names(name).value)


def _young(name: str, number: str, unit: str, at: Place) -> str:
    return f"CASE WHEN research_years({at(number)}, {at(unit)}) > 89 THEN NULL ELSE {at(name)} END"


def _young_by_code(name: str, at: Place) -> str:
    codes = ", ".join(f"'{code}'" for code in AGE_CODES)
    years = f"research_years({at('value_number')}, {at('value_unit_code')})"
    return f"CASE WHEN {at('code')} IN ({codes}) AND {years} > 89 THEN NULL ELSE {at(name)} END"
