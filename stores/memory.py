"""The in-memory twin of a mart, for tests: the same meaning in plain Python, without a line in common with the SQL."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

import polars as pl

from schemas.canonical_json import canonical
from schemas.records import Counts
from schemas.staged import StagedUnit
from schemas.table import TIMELESS
from stores.step import STAGE_ROW


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a resource, or its delete. ``time`` is its `meta.lastUpdated`, or when it was seen; ``nanos`` are
    the nanoseconds below the microsecond."""

    source: str
    type: str
    id: str
    version_id: str | None
    time: datetime
    nanos: int
    content_hash: bytes
    deleted: bool = False
    timeless: bool = False  # the time is only when it was seen
    look: str = ""  # what the mart holds of it, but for its place in the order

    @property
    def k(self) -> tuple[datetime, int, int, int, str, bool, bytes]:
        """Its place in the total order K."""
        kind, number, text = 0, 0, self.version_id or ""
        if self.version_id is not None:
            numeric = text.isascii() and text.isdigit()
            kind, number = (1, int(text)) if numeric else (2, 0)
        return self.time, self.nanos, kind, number, text, self.deleted, self.content_hash


# What is no part of how a version looks.
_ORDER = {"last_updated", "last_updated_nanos", "content_hash", STAGE_ROW, TIMELESS}


class _Content(NamedTuple):
    deleted: bool
    content_hash: bytes


class MemoryMart:
    """Versions by identity and content; every question is answered from them."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], dict[_Content, Version]] = defaultdict(dict)
        self.conflicts: Counter[tuple[str, str, str]] = Counter()  # pairs of versions in conflict, by identity

    def apply(self, versions: Iterable[Version]) -> dict[str, Counts]:
        """Take in the versions of one commit; what became of them, by resource type."""
        arrived: dict[tuple[str, str, str], Counter[_Content]] = defaultdict(Counter)
        before: dict[tuple[str, str, str], tuple[set[_Content], _Content | None]] = {}
        for version in versions:
            identity, content = (version.source, version.type, version.id), _content(version)
            known = self._known[identity]
            before.setdefault(identity, (set(known), _top(known)))
            arrived[identity][content] += 1
            if content not in known:
                known[content] = version
            elif known[content].k < version.k:
                # A content keeps the version that it first came with: only its time moves.
                known[content] = replace(known[content], time=version.time, nanos=version.nanos)
        counts: dict[str, Counts] = defaultdict(Counts)
        for identity, contents in arrived.items():
            (there, top_before), known = before[identity], self._known[identity]
            stands_for = _rewritten(known)
            again = {stands_for.get(content, content) for content in there}
            for content in stands_for.keys() & known.keys():
                del known[content]
            top, made = _top(known), counts[identity[1]]
            for content, times in contents.items():
                fresh = content not in again and content not in stands_for
                applied = content == top != top_before and (fresh or content in there)
                superseded = fresh and content not in there and content != top
                made.read += times
                made.applied += applied
                made.superseded += superseded
                made.duplicate += times - applied - superseded
            self.conflicts[identity] += _pairs(known, set(known) - there - again)
        return dict(counts)

    def commit(self, source: str, unit: StagedUnit, types: dict[str, str]) -> dict[str, Counts]:
        """The same from the files of a commit unit; ``types`` are the resource types of the tables by name."""
        return self.apply(list(_staged(source, unit, types)))

    def main(self) -> set[Version]:
        """The current rows."""
        return {known[top] for known, top in self._tops() if not top.deleted}

    def history(self) -> set[Version]:
        """The other versions that are no deletes."""
        return {v for known, top in self._tops() for content, v in known.items() if content != top and not v.deleted}

    def tombstones(self) -> set[tuple[Version, bool]]:
        """The deletes, each with whether it is the current version."""
        return {(v, content == top) for known, top in self._tops() for content, v in known.items() if v.deleted}

    def _tops(self) -> Iterator[tuple[dict[_Content, Version], _Content]]:
        for known in self._known.values():
            if (top := _top(known)) is not None:
                yield known, top


def _content(version: Version) -> _Content:
    return _Content(version.deleted, version.content_hash)


def _top(known: dict[_Content, Version]) -> _Content | None:
    return max(known, key=lambda content: known[content].k, default=None)


def _look(row: dict[str, object]) -> str:
    said = {k: canonical(v) if k == "json" and isinstance(v, str) else v for k, v in row.items() if v is not None}
    return repr(sorted(item for item in said.items() if item[0] not in _ORDER))


def _rewritten(known: dict[_Content, Version]) -> dict[_Content, _Content]:
    """Contents that look like another of the same number and time, with the greatest of these."""
    alike: dict[tuple[object, ...], list[_Content]] = defaultdict(list)
    for content, v in known.items():
        if v.version_id is not None and not v.deleted and not v.timeless:
            alike[v.version_id, v.time, v.nanos, v.look].append(content)
    return {one: max(group) for group in alike.values() for one in group if one != max(group)}


def _pairs(known: dict[_Content, Version], new: set[_Content]) -> int:
    """Pairs of versions of which at least one is new that have the same number and time, and other content."""
    numbered = [(c, v) for c, v in known.items() if not (v.version_id is None or v.deleted or v.timeless)]
    return sum(
        1
        for n, (one, a) in enumerate(numbered)
        for other, b in numbered[:n]
        if (one in new or other in new) and (a.version_id, a.time, a.nanos) == (b.version_id, b.time, b.nanos)
    )


def _staged(source: str, unit: StagedUnit, types: dict[str, str]) -> Iterator[Version]:
    for deleted, files in ((False, unit.tables), (True, unit.deletes)):
        for staged in files:
            for row in pl.read_parquet(staged.path).iter_rows(named=True):
                kind = row["resource_type"] if deleted else row.get("type") or types[staged.table]
                at = row["last_updated"], row["last_updated_nanos"]
                timeless = bool(row.get(TIMELESS))
                yield Version(
                    *(source, kind, row["id"], row["version_id"], *at, row["content_hash"], deleted, timeless),
                    look=_look(row),
                )
