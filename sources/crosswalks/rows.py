"""Rows of a crosswalk as a file gives them, and what is wrong with them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.code_systems import canonical
from schemas.crosswalk import CLOSENESS, Closeness
from schemas.errors import UsageError

_SHOWN = 60  # characters of a text that a message repeats


class Row(NamedTuple):
    """One source code and target; see :data:`schemas.crosswalk.ENTRY_SCHEMA`. ``place`` is where it stands."""

    place: str
    source_system: str
    source_version: str | None
    source_code: str | None
    source_display: str | None
    target_system: str | None
    target_version: str | None
    target_code: str | None
    target_display: str | None
    equivalence: str | None
    conditional: bool = False


@dataclass(slots=True)
class ReadMap:
    """One map of a file; ``others`` are the URLs of maps that it leaves codes to, each with its place."""

    url: str | None
    version: str | None
    rows: list[Row] = field(default_factory=list)
    others: list[tuple[str, str]] = field(default_factory=list)


def shown(text: str) -> str:
    """A text of the file as a message repeats it."""
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def fault(uri: str, place: str, what: str) -> UsageError:
    """The error of a faulty file; ``what`` says what is wrong, what was there and what to do."""
    return UsageError(f"{uri}: {place}: {what}")


def system_of(text: str) -> tuple[str, str | None]:
    """The canonical URI of a system and its version, of `system|version`."""
    system, _, version = text.partition("|")
    return canonical(system), version or None


def must_agree(uri: str, rows: Sequence[Row]) -> None:
    """UsageError where two rows of a file contradict each other: one pair of codes in two relations, or a code that has
    both a target and none in one system.
    """
    said: dict[tuple[str | None, ...], Row] = {}
    matched: dict[tuple[str | None, ...], list[Row]] = defaultdict(list)
    for row in rows:
        if row.source_code is None or row.equivalence is None or row.conditional:
            continue
        pair = (row.source_system, row.source_code, row.target_system, row.target_code)
        known = said.setdefault(pair, row)
        if known.equivalence != row.equivalence:
            raise fault(uri, row.place, f"{_pair(row)} is {row.equivalence!r} here and {known.equivalence!r} in "
                        f"{known.place}: keep the one that is right")  # fmt: skip
        if row.target_code is None or CLOSENESS[row.equivalence] is not Closeness.NONE:
            matched[pair[:3]].append(row)
    for group in matched.values():
        none = [row for row in group if row.target_code is None]
        some = [row for row in group if row.target_code is not None]
        if none and some:
            raise fault(uri, none[0].place, f"code {shown(none[0].source_code or '')} has no target here and one in "
                        f"{some[0].place}: keep the one that is right")  # fmt: skip


def _pair(row: Row) -> str:
    to = "nothing" if row.target_code is None else shown(row.target_code)
    return f"{shown(row.source_code or '')} to {to}"
