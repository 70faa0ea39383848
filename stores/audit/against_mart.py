"""Holds a mart against the audit trail: its commits, and the versions that its rows are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb

from stores.audit.chain import Chain, Fault, Values
from stores.audit.record import Phase
from stores.audit.versions import EVERY_LOAD, PATCHES, patched_types, stored_versions
from stores.stored import stored_columns

_Key = tuple[str, str, str]  # load, type, kind


@dataclass(slots=True)
class Told:
    """What the records of a trail say of commits and versions; :meth:`take` is given each in its order."""

    commits: dict[int, tuple[str, object]] = field(default_factory=dict)  # by intent: name of the commit, versions
    intents: set[int] = field(default_factory=set)
    rolled_back: set[int] = field(default_factory=set)  # intents of commits that were not made
    versions: dict[_Key, tuple[int, str | None]] = field(default_factory=dict)  # count, root unless only parts are told
    last: dict[_Key, int] = field(default_factory=dict)  # the record that told it
    sources: dict[str, str] = field(default_factory=dict)  # by load

    def take(self, values: Values) -> None:
        """Take in a record."""
        number, where, detail = int(str(values["n"])), values.get("where"), values.get("detail")
        where, detail = where if isinstance(where, dict) else {}, detail if isinstance(detail, dict) else {}
        if "load" in where and "source" in where:
            self.sources[str(where["load"])] = str(where["source"])
        if values["phase"] == Phase.INTENT:
            self.intents.add(number)
        elif values["action"] == "commit" and isinstance(intent := values.get("re"), int):
            if values.get("outcome") == "ok":
                self.commits[intent] = str(detail.get("commit_id", "")), detail.get("versions", [])
            else:
                self.rolled_back.add(intent)
        anew = set(map(str, detail.get("anchored", ())))
        for key in [key for key in self.versions if key[2] != PATCHES and anew & {key[0], EVERY_LOAD}]:
            del self.versions[key]
        for one in detail.get("versions", ()):
            self._anchor(one, number)

    def _anchor(self, one: Mapping[str, object], number: int) -> None:
        key = str(one["load"]), str(one["type"]), str(one["kind"])
        count, root = int(str(one["count"])), str(one["root"])
        before = self.versions.get(key)
        self.versions[key] = (count, root) if not one.get("part") or before is None else (before[0] + count, None)
        self.last[key] = number


@dataclass(slots=True)
class Proved:
    """What of a mart was held against the trail, and what could not be."""

    commits: int = 0
    loads: int = 0
    versions: int = 0
    before: int = 0  # versions of loads before the trail
    patched: int = 0  # loads and types that HL7 v2 messages patched: their rows are folds
    parts: int = 0  # of running loads that committed several times: only their number was compared
    lost: int = 0  # loads with commits that were lost and settled by a repair

    def as_dict(self) -> dict[str, object]:
        """As JSON values."""
        rest = {"before_the_trail": self.before, "patched": self.patched, "parts": self.parts, "lost": self.lost}
        return {"commits": self.commits, "loads": self.loads, "versions": self.versions, "not_proved": rest}


def check_mart(connection: duckdb.DuckDBPyConnection, chain: Chain, told: Told, proved: Proved) -> Iterator[Fault]:
    """What of the mart's commits and rows is not as the trail says; ``proved`` counts what was compared."""
    rows = connection.execute(
        "SELECT number, commit_id, load_id, trail, record, record_hash, versions, note FROM etl.commit ORDER BY number"
    ).fetchall()
    faults = list(_check_commits(rows, chain, told, proved))
    yield from faults
    if faults:  # then what the records say of rows is not all there is
        return
    lost = {load for _, _, load, _, _, _, _, note in rows if note is not None}
    audited = {load for _, _, load, trail, *_ in rows if trail == chain.trail} | {key[0] for key in told.versions}
    yield from _check_versions(connection, chain, told, proved, lost, audited)


def _check_commits(rows: list[tuple[Any, ...]], chain: Chain, told: Told, proved: Proved) -> Iterator[Fault]:
    acknowledged, begun = int(str(chain.begin.get("commits", 0))), False
    for number, commit_id, _, trail, record, made, versions, note in rows:
        if note is not None or number <= acknowledged:
            continue
        if trail is None:
            if begun:
                yield Fault(f"commit {number} of the mart has no audit record")
            continue
        begun = True
        if trail != chain.trail:
            yield Fault(f"commit {number} of the mart is told of by the audit trail {trail}, which is not here")
            continue
        proved.commits += 1
        place = chain.place_of(record)
        if record > len(chain.hashes):
            if chain.fault is None:
                yield Fault(
                    f"record {len(chain.hashes) + 1} and those after it are gone: commit {number} of the mart tells of "
                    f"record {record}",
                    *chain.place_of(len(chain.hashes)),
                    len(chain.hashes) + 1,
                )
            return
        if chain.hashes[record - 1].hex() != made or record not in told.intents:
            yield Fault(f"record {record} is not the one that commit {number} of the mart tells of", *place, record)
        elif record in told.commits and told.commits[record] != (commit_id, json.loads(versions or "[]")):
            yield Fault(f"commit {number} of the mart is not as its audit record says", *place, record)
        elif record in told.rolled_back:
            yield Fault(f"commit {number} of the mart was rolled back, by its audit record", *place, record)
    there = {commit_id for _, commit_id, *_ in rows}
    for record, (commit_id, _) in sorted(told.commits.items()):
        if commit_id and commit_id not in there:
            yield Fault(f"the mart lacks the commit that record {record} tells of", *chain.place_of(record), record)


def _check_versions(
    connection: duckdb.DuckDBPyConnection,
    chain: Chain,
    told: Told,
    proved: Proved,
    lost: set[str],
    audited: set[str],
) -> Iterator[Fault]:
    stored = stored_columns(connection)
    patched = patched_types(connection, stored)
    by_messages = {(load, kind_of) for load, kind_of, kind in told.versions if kind == PATCHES}
    expected = {key: value for key, value in told.versions.items() if key[2] != PATCHES}
    proved.lost, proved.patched = len(lost), len(by_messages)
    loads: set[str] = set()
    for one in stored_versions(connection, stored):
        key = one.load, one.type, one.kind
        count, root = expected.pop(key, (0, None))
        if one.load in lost or (one.load, one.type) in by_messages:
            continue
        if (told.sources.get(one.load, ""), one.type) in patched:
            continue
        if one.load not in audited:
            proved.before += one.count
            continue
        record = told.last.get(key)
        place = chain.place_of(record or 0)
        what = f"{one.kind} of {one.type} of load {one.load}"
        if count != one.count:
            yield Fault(f"the mart has {one.count} {what}, and there were {count}", *place, record)
        elif root is not None and root != one.root:
            yield Fault(f"the {count} {what} are not those that were loaded", *place, record)
        else:
            loads.add(one.load)
            proved.versions += one.count if root is not None else 0
            proved.parts += root is None
    proved.loads = len(loads)
    for (load, kind_of, kind), (count, _) in expected.items():
        skipped = load in lost or (load, kind_of) in by_messages or (told.sources.get(load, ""), kind_of) in patched
        if count and not skipped:
            record = told.last[load, kind_of, kind]
            what = f"{kind} of {kind_of} of load {load}"
            yield Fault(f"the mart has none of the {count} {what}", *chain.place_of(record), record)
