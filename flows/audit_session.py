"""The audit of one load: its beginning and end, and each of its commits."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb

from flows.auditing import fault_of, seal, told_reason, trail_of
from schemas.records import Counts, LoadReport
from schemas.staged import StagedUnit
from stores.audit.merkle import leaf_hash, root_of
from stores.audit.reconcile import anchors_of_parts, reconcile
from stores.audit.record import Phase, Record
from stores.audit.trail import Trail, Written
from stores.audit.unit_versions import UnitVersions
from stores.audit.versions import PATCHES, Anchor
from stores.commit import CommitMade

_LOG = logging.getLogger(__name__)
_RUNNING: set[str] = set()  # loads of this process


class CommitAct:
    """A commit that is being made: the record of its intent, and what notes the versions that it brings in."""

    def __init__(self, intent: Written, versions: UnitVersions) -> None:
        self.intent = intent
        self.versions = versions
        self.detail: dict[str, object] = {}

    def made(self, made: CommitMade) -> None:
        """Take what became of it."""
        self.detail |= {
            "commit": made.number,
            "commit_id": made.commit_id,
            "counts": _told(made.counts),
            "versions": [one.as_dict() for one in made.versions],
        }
        if self.versions.robbed:
            self.detail["anchored"] = sorted(self.versions.robbed)


class SessionAudit:
    """The records of a load into a mart; use :meth:`load` around it."""

    def __init__(self, mart: Path, report: LoadReport) -> None:
        self._mart = mart
        self._report = report
        self._trail: Trail = trail_of(mart)
        self._where: dict[str, object] = {"source": report.source, "load": report.load_id}
        self._commits: Counter[tuple[str, str]] = Counter()  # by (type, kind)
        self._anchors: list[Anchor] = []

    @contextmanager
    def load(self) -> Iterator[None]:
        """Record that the load begins, and how it ended. StorageError when the trail cannot be written."""
        report = self._report
        options = hashlib.sha256(json.dumps(dict(report.options), sort_keys=True).encode()).hexdigest()
        detail = {"options": options, "as_of": report.as_of.isoformat()}
        begun = self._trail.append(Record(report.kind, Phase.INTENT, self._where, told_reason(), detail=detail))
        _RUNNING.add(report.load_id)
        try:
            yield
        except BaseException as error:
            outcome, fault = fault_of(error)
            self._trail.settle(self._ended(outcome, begun.number, fault))
            raise
        finally:
            _RUNNING.discard(report.load_id)
        self._trail.append(self._ended(report.status, begun.number, {}))
        seal(self._trail, self._mart)

    def reconcile(self, connection: duckdb.DuckDBPyConnection | None) -> None:
        """Settle what a crash left open; see :func:`stores.audit.reconcile.reconcile`."""
        if told := reconcile(self._trail, connection, _RUNNING):
            _LOG.warning("%s", told)

    @contextmanager
    def commit(self, unit: StagedUnit) -> Iterator[CommitAct]:
        """Record that a commit shall be made, and what became of it."""
        intent = self._trail.append(Record("commit", Phase.INTENT, self._where, detail=_coming(unit)))
        act = CommitAct(intent, UnitVersions(self._report.load_id, list(self._commits)))
        try:
            yield act
        except BaseException as error:
            _, fault = fault_of(error)
            self._trail.settle(self._settled("rolled back", intent.number, fault))
            raise
        self._commits.update((one.type, one.kind) for one in act.versions.anchors if one.load == self._report.load_id)
        self._trail.settle(self._settled("ok", intent.number, act.detail))

    def finish(self, connection: duckdb.DuckDBPyConnection) -> None:
        """At the end of a load of several commits: name all versions that it brought in."""
        if any(times > 1 for (_, kind), times in self._commits.items() if kind != PATCHES):
            self._anchors = anchors_of_parts(connection, self._report.load_id)

    def _settled(self, outcome: str, re: int, detail: Mapping[str, object]) -> Record:
        return Record("commit", Phase.OUTCOME, self._where, outcome=outcome, re=re, detail=detail)

    def _ended(self, outcome: str, re: int, detail: Mapping[str, object]) -> Record:
        report = self._report
        told: dict[str, object] = {**detail, "counts": _told(report.resources), "bytes": report.bytes}
        if report.refused:
            told["files_refused"] = len(report.refused)
        if self._anchors:
            told["versions"] = [one.as_dict() for one in self._anchors]
        return Record(report.kind, Phase.OUTCOME, self._where, outcome=outcome, re=re, detail=told)


def _coming(unit: StagedUnit) -> dict[str, object]:
    """What a commit is to bring in. Files are told by a Merkle root over the sorted SHA-256 of their partitions, which
    `etl.receipt` has with their names: names of files may be names of patients.
    """
    told: dict[str, object] = {"rows": unit.rows}
    if unit.receipts:
        names = sorted(receipt.sha256 for receipt in unit.receipts)
        told |= {"files": len(names), "bytes": unit.bytes, "inputs": root_of([leaf_hash(n) for n in names]).hex()}
    if unit.attempts:
        told["replayed"] = len(unit.attempts)
    if unit.heard is not None:
        told["messages_up_to"] = unit.heard
    return told


def _told(counts: Mapping[str, Counts]) -> dict[str, object]:
    """Counts by type, without zeros."""
    return {
        kind: {name: number for name, number in one.as_dict().items() if number} for kind, one in sorted(counts.items())
    }
