"""The names of zones, and the error for one that is none."""

from __future__ import annotations

import difflib
import functools
import importlib.resources

from schemas.errors import UsageError


@functools.cache
def zone_names() -> frozenset[str]:
    """The names of the IANA database that the `tzdata` package holds.

    Not those of the operating system: it may be years old, lack zones, or be built with other rules before 1970.
    """
    return frozenset(importlib.resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


def known_zone(name: str) -> str:
    """The name itself; UsageError, with the nearest name, for one that the database does not have."""
    if name in zone_names():
        return name
    raise UsageError(
        f"there is no time zone {name!r}{_hint(name)}: give a name of the IANA database, e.g. Europe/Berlin"
    )


def _hint(name: str) -> str:
    """The name that differs only in case or spelling, by whole name or by its last part (``berlin``)."""
    by_folded = {
        folded: one for one in sorted(zone_names()) for folded in (_folded(one), _folded(one.rsplit("/", 1)[-1]))
    }
    near = difflib.get_close_matches(_folded(name), by_folded, 1)
    return f" (did you mean {by_folded[near[0]]}?)" if near else ""


def _folded(name: str) -> str:
    return name.casefold().replace(" ", "_")
