"""How elements of FHIR are called as columns: snake case, plural lists, stems of times."""

from __future__ import annotations

import re
from typing import NamedTuple

# Endings that say "this is a time" and would be said again by `_at` and `_date`.
_TIME_ENDINGS = ("DateTime", "Date", "On")


def snake(name: str) -> str:
    """``MedicationRequest`` and ``medicationRequest`` both give ``medication_request``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def is_source_name(name: str) -> bool:
    """True for what a source may be called: something, on one line."""
    return bool(name) and not any(c.isspace() and c != " " for c in name)


def table_name(resource_type: str) -> str:
    """The table of a resource type; ``Group`` is ``fhir_group``, since GROUP is an SQL keyword."""
    return "fhir_group" if resource_type == "Group" else snake(resource_type)


def time_stem(name: str) -> str:
    """``recordedDate`` gives ``recorded``, ``authoredOn`` gives ``authored``, ``issued`` stays."""
    for ending in _TIME_ENDINGS:
        if name.endswith(ending) and len(name) > len(ending):
            return snake(name[: -len(ending)])
    return snake(name)


def plural(name: str) -> str:
    """A plain English plural, good enough for element names: ``category`` gives ``categories``, ``based_on`` a list."""
    if re.search(r"_(on|of|from|to|for|by)$", name):
        return name + "_list"
    if name.endswith("is"):
        return name[:-2] + "es"
    if re.search(r"[^aeiou]y$", name):
        return name[:-1] + "ies"
    if re.search(r"(s|x|ch|sh)$", name):
        return name + "es"
    return name + "s"


class HarmonizedNames(NamedTuple):
    """The columns beside a quantity that say it in its harmonised unit."""

    value: str
    unit: str
    status: str


def harmonized_names(quantity: str) -> HarmonizedNames:
    """``value`` gives ``harmonized_value``, ``harmonized_unit`` and ``unit_status``; others are called after it."""
    stem = "" if quantity == "value" else f"{quantity}_"
    return HarmonizedNames(f"{stem}harmonized_value", f"{stem}harmonized_unit", f"{stem}unit_status")
