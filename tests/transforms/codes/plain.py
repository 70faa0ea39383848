"""A crosswalk as a person would apply it: dicts and loops, none of the project's joins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from schemas.crosswalk import ENTRY_SCHEMA, Crosswalk, CrosswalkMap

LAB, LOINC, SCT = "http://lab.example.org", "http://loinc.org", "http://snomed.info/sct"
SAME, BROADER = ("equal", "equivalent"), ("wider", "subsumes", "source-is-narrower-than-target")
NONE = ("unmatched", "disjoint", "not-related-to")

Entry = dict[str, Any]


def entry(code: str | None, target: str | None, equivalence: str | None = "equivalent", **more: Any) -> Entry:
    """An entry from LAB to LOINC; ``more`` replaces its fields."""
    return {
        "map": 0, "source_system": LAB, "source_code": code, "target_system": LOINC, "target_code": target,
        "equivalence": equivalence, "conditional": False,
    } | more  # fmt: skip


def crosswalk(*entries: Entry, levels: Sequence[int] = (0,)) -> Crosswalk:
    """A crosswalk of these entries; one map for each of ``levels``."""
    maps = tuple(CrosswalkMap(f"m{n}", "00" * 32, None, None, level, 0) for n, level in enumerate(levels))
    return Crosswalk(maps, pl.DataFrame(list(entries), schema=ENTRY_SCHEMA))


def verdict(entries: Sequence[Entry], levels: Sequence[int], system: str | None, code: str | None) -> Any:
    """(outcome, code, system) for one coding; None for what the crosswalk does not map."""
    about = [e for e in entries if e["source_system"] == system]
    if code is None or not about:
        return None
    said = [e for e in about if e["source_code"] == code and e["equivalence"] is not None]
    if not said:
        return _default([e for e in about if e["source_code"] is None], levels, code)
    first = min(levels[e["map"]] for e in said)
    said = [e for e in said if levels[e["map"]] == first]
    for kinds in (SAME, BROADER):
        good = {
            (e["target_code"], e["target_system"]) for e in said if e["equivalence"] in kinds and not e["conditional"]
        }
        if len(good) == 1:
            return (0, *good.pop())
        if good:
            return (1, None, None)
    return (2 if any(e["equivalence"] not in NONE for e in said) else 3, None, None)


def _default(given: list[Entry], levels: Sequence[int], code: str) -> Any:
    if not given:
        return (4, None, None)
    first = min(levels[e["map"]] for e in given)
    found = {
        (code if e["equivalence"] == "provided" else e["target_code"], e["target_system"], e["equivalence"])
        for e in given
        if levels[e["map"]] == first
    }
    return (0, *found.pop()[:2]) if len(found) == 1 else (1, None, None)


def field(entries: Sequence[Entry], levels: Sequence[int], chosen: Any, codings: Sequence[Any]) -> Any:
    """(outcome, code, system, the coding it is of) for a field: the best of its codings, the chosen one first."""
    judged = [(verdict(entries, levels, *coding), coding) for coding in (chosen, *codings)]
    about = [(found, coding) for found, coding in judged if found is not None]
    if not about:
        return None
    found, coding = min(about, key=lambda pair: pair[0][0])
    return (*found, coding)
