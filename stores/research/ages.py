"""Numbers that may be a person's age: above 89 they are not told (45 CFR 164.514(b)(2)(i)(C))."""

from __future__ import annotations

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


def without_high_age(column: Column, elements: Sequence[Element], macro: str) -> Made | None:
    """The column, by ``macro`` if there is one, with null for an age over 89; None where it can hold no age."""
    for name in age_choices(elements):
        if column.name in _parts(name):
            return _made(column.name, macro, f"{name}{NUMBER_MARK}", f"{name}_unit_code")
        if column.name in [f"{name}{end}" for end in _BOUNDS]:
            return _made(column.name, macro, column.name, f"{column.name}_unit")
    names = {c.name for element in elements for c in element.columns}
    if {"code", "value_number", "value_unit_code"} <= names and column.name in _parts("value"):
        return _made(column.name, macro, "value_number", "value_unit_code", by_code=True)
    return None


def _parts(name: str) -> tuple[str, ...]:
    return (f"{name}{NUMBER_MARK}", f"{name}{LITERAL_MARK}", harmonized_names(name).value)


def _made(name: str, macro: str, number: str, unit: str, *, by_code: bool = False) -> Made:
    codes = ", ".join(f"'{code}'" for code in AGE_CODES)

    def sql(at: Place) -> str:
        asked = f"{at('code')} IN ({codes}) AND " if by_code else ""
        return f"CASE WHEN {asked}research_years({at(number)}, {at(unit)}) > 89 THEN NULL ELSE {macro}({at(name)}) END"

    return Made(name, sql)
