"""Displays against those of a crosswalk: a coding that calls its code otherwise than the maps do.

No terminology is shipped: only the maps' own `display` elements are known, and only codes that have one are judged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

import polars as pl

from schemas.code_systems import canonical
from schemas.crosswalk import Crosswalk
from schemas.fhir_types import told

Displays = Mapping[tuple[str, str], frozenset[str]]  # (system, code) -> its displays, folded


def displays_of(crosswalk: Crosswalk) -> Displays | None:
    """The displays that the maps give, of sources and targets; None when they give none."""
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for end in ("source", "target"):
        columns = [pl.col(f"{end}_{part}") for part in ("system", "code", "display")]
        for system, code, display in crosswalk.entries.select(columns).drop_nulls().unique().iter_rows():
            found[system, code].add(folded(display))
    return {key: frozenset(names) for key, names in found.items()} or None


def contradicted(resource: object, displays: Displays, path: str = "") -> Iterator[str]:
    """The paths (e.g. ``code.coding[0].display``) of displays that no map gives to their code, in a parsed resource."""
    if isinstance(resource, list):
        for number, item in enumerate(resource):
            yield from contradicted(item, displays, f"{path}[{number}]")
    if not isinstance(resource, dict):
        return
    system, code, display = (resource.get(part) for part in ("system", "code", "display"))
    if isinstance(system, str) and isinstance(code, str) and isinstance(display, str):
        known = displays.get((canonical(system), code))
        if known is not None and folded(display) not in known:
            yield f"{path}.display"
    for key, inner in resource.items():
        if isinstance(inner, dict | list):
            yield from contradicted(inner, displays, f"{path}.{told(key)}" if path else told(key))


def folded(display: str) -> str:
    """A display without what does not tell displays apart: case and the amount of whitespace."""
    return " ".join(display.casefold().split())
