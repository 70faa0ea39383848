"""``clinmart erase``: takes people out of a mart and all that lies beside it, and keeps them out.

Nothing is taken out of the mart's file in place. The list of those who are kept out is committed first; then a new file
is written without them, compared, searched, and put in the old one's place by one rename. Whatever ends the command
before that leaves the mart as it was, with the list, and the same command again does all of it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from flows.auditing import Act, anchor_anew, audited, note
from flows.erasing.around import clean_around, files_around, landing_zone
from flows.erasing.beside import find_beside
from flows.erasing.certificate import sign
from flows.erasing.find import Found, find
from flows.erasing.landing import Landed
from flows.keyring import keys_of, mart_at, telling
from flows.publish_again import publish_again
from flows.settings import new_load_id
from schemas.errors import UsageError
from schemas.records import LoadReport
from schemas.suppression import IDENTIFIER, PERSON, Suppression, token
from schemas.tables import all_tables
from stores.commits import number_commit
from stores.holds import held_people
from stores.identity import mart_id
from stores.lock import loader_lock
from stores.mart import Mart
from stores.people import Asked, Person, Values, find_people, values_of
from stores.receipts import sources_landed
from stores.records import insert_records
from stores.residue import Residue, look_in_blocks, look_in_files, look_in_mart, parquet_has, without_shared
from stores.rewrite import (
    FRESH,
    Rewritten,
    choosing,
    detach,
    must_have_room,
    put_in_place,
    rewrite,
    using_fresh,
)
from stores.staging import clean_staging, staging_root
from stores.suppression import list_tokens, pending_erasure, secrets_of

if TYPE_CHECKING:
    from stores.keys import Key, Keys

SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class EraseRequest:
    """Whom to erase of which mart, and why. ``even_if_unknown``: who is not known (of a named source) is kept out all
    the same; ``despite_hold``: who is under legal hold goes too. ``landing``: the landing zone, if it is not beside the
    mart.
    """

    mart: Path
    asked: Sequence[Asked]
    reason: str
    dry_run: bool = False
    even_if_unknown: bool = False
    despite_hold: bool = False
    landing: Path | None = None
    keys: str | None = None
    wait: float = 0.0
    memory: str = "1GB"


@dataclass(slots=True)
class Erasure:
    """What an erasure did; counts and places, and nothing of a person."""

    erasure_id: str = ""
    status: str = "dry run"  # done or residue
    people: int = 0
    unknown: int = 0
    removed: dict[str, int] = field(default_factory=dict)
    mended: dict[str, int] = field(default_factory=dict)
    tokens: int = 0
    landing: Landed = field(default_factory=Landed)
    files_removed: list[str] = field(default_factory=list)
    published: list[str] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)  # files of the user's own that were loaded in the same loads
    residue: Residue = field(default_factory=Residue)
    certificate: str = ""
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return {
            "status": self.status,
            "erasure_id": self.erasure_id,
            "people": self.people,
            "unknown": self.unknown,
            "removed": self.removed,
            "mended": self.mended,
            "tokens": self.tokens,
            "landing": {"files": self.landing.files, "lines": self.landing.lines, "mended": self.landing.mended},
            "files_removed": self.files_removed,
            "published": self.published,
            "inputs": self.inputs,
            "residue": self.residue.found,
            "seconds": round(self.seconds, 3),
        }


def erase(request: EraseRequest) -> Erasure:
    """Take people out; see the module.

    Raises UsageError for nobody, somebody unknown or under hold, LockedError, StorageError and IntegrityError as loads
    do. What is left of somebody is no error: it stands in ``residue``.
    """
    began, report = time.monotonic(), Erasure()
    mart = mart_at(request.mart, memory=request.memory)
    mart.must_exist()
    with telling(request.keys), loader_lock(request.mart, wait=request.wait):
        mart.prepare(all_tables(), wait=request.wait)
        if request.dry_run:
            note(request.mart, "erase.dry-run", reason=request.reason or None)
            _Work(request, mart, report, None).all()
        else:
            with audited(request.mart, "erase", reason=request.reason) as act:
                _take_out(_Work(request, mart, report, act), act)
    report.seconds = time.monotonic() - began
    return report


def _take_out(work: _Work, act: Act) -> None:
    """Do all of it, and let its audit record name the versions that are left."""
    request, mart, report = work.request, work.mart, work.report
    fresh = work.all()
    if fresh is not None:
        put_in_place(fresh, request.mart)
        clean_staging(request.mart)
    with mart.connect(read_only=True, wait=request.wait) as connection:
        anchor_anew(act, connection)
    act.outcome = "ok" if report.status == "done" else report.status
    act.detail |= {"erasure": report.erasure_id, "people": report.people, "unknown": report.unknown}
    act.detail |= {"removed": report.removed, "mended": report.mended, "residue": len(report.residue.found)}


class _Work:
    """One erasure, under the loader's lock; ``act`` is its audit record."""

    def __init__(self, request: EraseRequest, mart: Mart, report: Erasure, act: Act | None) -> None:
        self._intent = act.intent if act is not None else None
        self.request, self.mart, self.report = request, mart, report
        self._request = request
        self._mart = mart
        self._report = report
        self._began = datetime.now(UTC)
        self._keys: Keys | None = None
        self._landed: dict[Path, set[str]] = {}  # by folder of the landing zone the sources that it was loaded as

    def all(self) -> Path | None:
        """The new file of the mart, ready to be put in place; None for a dry run."""
        request, report = self._request, self._report
        with self._mart.connect(wait=request.wait) as connection:
            people, unknown = find_people(connection, request.asked)
            report.people, report.unknown = len(people), len(unknown)
            people |= self._unknown(unknown)
            self._refuse_held(connection, people)
            values = values_of(connection, people)
            if request.dry_run:  # which needs no key that lasts
                self._count(_all_of(connection, os.urandom(SECRET_BYTES), people, values))
                return None
            key = self._key()
            found = _all_of(connection, key.secret, people, values)
            self._count(found)
            must_have_room(request.mart)
            clean_staging(request.mart)
            self._mart.note(connection)
            self._list(connection, found, values, key)
            self._inputs(connection, found)
            return self._anew(connection, found, values, key)

    def _unknown(self, unknown: Sequence[Asked]) -> set[tuple[str, str]]:
        """Whom the mart does not know, where they are to be kept out all the same."""
        if unknown and not self._request.even_if_unknown:
            raise UsageError(
                f"{len(unknown)} of {len(self._request.asked)} people asked for are not in the mart: correct the "
                "ids, or give --even-if-unknown to keep them out of later loads all the same"
            )
        if any(one.id is None or one.source is None for one in unknown):
            raise UsageError("who is not in the mart can be kept out by SOURCE:ID alone: give the source and the id")
        return {(one.source or "", one.id or "") for one in unknown}

    def _refuse_held(self, connection: duckdb.DuckDBPyConnection, people: set[tuple[str, str]]) -> None:
        held = held_people(connection, people, self._secrets)
        if held and not self._request.despite_hold:
            raise UsageError(
                f"{held} of {len(people)} people are under legal hold, by the policy that clinmart retain last read "
                "(GDPR Art. 17(3)): take the hold off there, or give --despite-hold"
            )

    def _key(self) -> Key:
        from stores.keys import Purpose  # noqa: PLC0415 - late

        self._keys = keys_of(self._request.mart, create=True)
        return self._keys.current(Purpose.SUPPRESS)

    def _secrets(self) -> list[bytes]:
        return secrets_of(keys_of(self._request.mart))

    def _count(self, found: Found) -> None:
        for (schema, table), change in sorted(found.changes.items()):
            if change.gone:
                self._report.removed[f"{schema}.{table}"] = len(change.gone)
            if change.replaced:
                self._report.mended[f"{schema}.{table}"] = len(change.replaced)

    def _list(self, connection: duckdb.DuckDBPyConnection, found: Found, values: Values, key: Key) -> None:
        """Commit the list of those who are kept out: from now on loads leave them out."""
        report = self._report
        told = [*found.identities, *((source, IDENTIFIER, value) for source, value in values.identifiers)]
        told += [(source, IDENTIFIER, ident) for source, ident in found.people]
        tokens = [(source, kind, token(key.secret, source, kind, ident)) for source, kind, ident in told]
        patients = {made for _, kind, made in tokens if kind == PERSON}
        report.erasure_id = pending_erasure(connection, patients) or f"erase-{new_load_id(self._began)}"
        source = min(source for source, _ in found.people)
        load = LoadReport(report.erasure_id, source, self._began, self._began, kind="erase", options={"kind": "erase"})
        connection.execute("BEGIN TRANSACTION")
        try:
            report.tokens = list_tokens(connection, report.erasure_id, key.key_id, tokens, self._began)
            connection.execute("DELETE FROM etl.erasure WHERE erasure_id = ?", [report.erasure_id])
            insert_records(connection, "erasure", [self._row("pending")])
            number_commit(connection, load, self._began, 0, self._intent)
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        self._mart.note(connection)

    def _row(self, status: str) -> dict[str, object]:
        report = self._report
        return {
            "erasure_id": report.erasure_id,
            "asked_at": self._began,
            "finished_at": None if status == "pending" else datetime.now(UTC),
            "status": status,
            "reason": self._request.reason,
            "people": report.people + report.unknown,
            "certificate": report.certificate or None,
        }

    def _inputs(self, connection: duckdb.DuckDBPyConnection, found: Found) -> None:
        """The files that were loaded together with what goes: they are the user's, and are left alone."""
        loads: set[str] = set()
        for (schema, table), change in found.changes.items():
            if schema.startswith("stored") and change.gone:
                with choosing(connection, change.gone) as chosen:
                    query = f'SELECT DISTINCT load_id FROM {schema}."{table}" WHERE rowid IN {chosen}'
                    loads |= {load for (load,) in connection.execute(query).fetchall()}
        rows = connection.execute(
            "SELECT DISTINCT uri FROM etl.receipt WHERE load_id IN (SELECT unnest(?)) ORDER BY 1", [sorted(loads)]
        ).fetchall()
        self._report.inputs = [uri for (uri,) in rows]

    def _anew(self, connection: duckdb.DuckDBPyConnection, found: Found, values: Values, key: Key) -> Path:
        """The new file, with its certificate in it."""
        request, report = self._request, self._report
        lists = {
            source: Suppression(source, ((key.secret, frozenset(
                token(key.secret, *one) for one in found.identities if one[0] == source)),))
            for source, _ in found.people
        }  # fmt: skip
        zone = landing_zone(request.mart, request.landing)
        self._landed = sources_landed(connection, zone)
        around = clean_around(request.mart, self._landed, lists, values, self._keys)
        report.landing, report.files_removed = around.landing, around.removed
        folder = staging_root(request.mart) / report.erasure_id
        folder.mkdir(parents=True, mode=0o700)
        fresh = folder / request.mart.name
        rows = connection.execute("SELECT rowid FROM etl.erasure WHERE erasure_id = ?", [report.erasure_id]).fetchall()
        found.changes["etl", "erasure"].gone |= {row for (row,) in rows}
        self._mart.attach(connection, fresh, FRESH)
        rewritten = rewrite(connection, found.changes)
        connection.execute(f"CHECKPOINT {FRESH}")
        self._publish(connection)
        self._search(connection, fresh, values, set(lists))
        report.status = "residue" if report.residue.found else "done"
        report.certificate = self._certified(connection, rewritten, key)
        with using_fresh(connection):
            insert_records(connection, "erasure", [self._row(report.status)])
        detach(connection)
        connection.execute("CHECKPOINT")
        return fresh

    def _publish(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Publish the new mart where the old one was."""
        with using_fresh(connection):
            self._report.published = publish_again(connection, self._mart)

    def _search(
        self, connection: duckdb.DuckDBPyConnection, fresh: Path, values: Values, sources: Collection[str]
    ) -> None:
        """Look for what may be left of them."""
        residue = self._report.residue
        residue.values = len(values.sure | values.likely)
        rare, residue.shared = without_shared(connection, values, FRESH)
        look_in_mart(connection, FRESH, rare, sources, residue)
        if look_in_blocks(connection, FRESH, fresh, rare):
            residue.found.append(str(self._request.mart))
        residue.files, residue.bytes = 1, fresh.stat().st_size
        paths = files_around(self._request.mart, landing_zone(self._request.mart, self._request.landing))
        ours = [path for path in paths if not self._landed.get(path.parent) or self._landed[path.parent] & set(sources)]
        look_in_files(ours, rare, residue, lambda path: parquet_has(connection, path, rare, sources))

    def _certified(self, connection: duckdb.DuckDBPyConnection, rewritten: Rewritten, key: Key) -> str:
        assert self._keys is not None
        report, residue = self._report, self._report.residue
        told: Mapping[str, Any] = {
            "erasure_id": report.erasure_id,
            "mart_id": mart_id(connection),
            "began_at": self._began.isoformat(),
            "signed_at": datetime.now(UTC).isoformat(),
            "reason": self._request.reason,
            "status": report.status,
            "people": report.people,
            "unknown": report.unknown,
            "removed_rows": report.removed,
            "mended_rows": report.mended,
            "landing": {"files": report.landing.files, "lines": report.landing.lines, "mended": report.landing.mended},
            "files_removed": len(report.files_removed),
            "published_anew": len(report.published),
            "suppression": {"tokens": report.tokens, "key_id": key.key_id},
            "rewritten": {"tables": rewritten.tables, "rows": rewritten.rows, "sha256": rewritten.sha256},
            "searched": {
                "values": residue.values,
                "shared_with_others": residue.shared,
                "too_short_for_files": residue.short,
                "columns": residue.columns,
                "files": residue.files,
                "bytes": residue.bytes,
                "places_with_residue": len(residue.found),
            },
        }
        return sign(self._keys, told)


def _all_of(connection: duckdb.DuckDBPyConnection, key: bytes, people: set[Person], values: Values) -> Found:
    found = find(connection, key, people, values)
    find_beside(connection, found, values)
    return found
