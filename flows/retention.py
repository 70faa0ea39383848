"""``clinmart retain``: what is older than its policy leaves the mart and the folders beside it, but for what is held.

Rows leave as people who are erased do: a new file is written without them, compared, and put in place by one rename.
"""

from __future__ import annotations

import shutil
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from flows.auditing import Act, anchor_anew, audited, note
from flows.keyring import keys_of, mart_at, telling
from flows.publish_again import publish_again
from flows.settings import new_load_id
from schemas.errors import StorageError
from schemas.records import LoadReport
from schemas.retention import DataClass, Policy
from schemas.tables import all_tables
from sources.bulk_export.job import read_job
from sources.manifest import MANIFEST_NAME
from stores.audit.trail import Written
from stores.commits import number_commit
from stores.holds import Hold, save_holds
from stores.lock import loader_lock
from stores.mart import Mart
from stores.publish import published_at
from stores.published_to import published_folders
from stores.retention import Kept, kept_by, old_rows
from stores.rewrite import (
    FRESH,
    Change,
    Place,
    detach,
    must_have_room,
    put_in_place,
    rewrite,
    using_fresh,
)
from stores.staging import clean_staging, staging_root
from stores.suppression import secrets_of

_LOGS_ASIDE = ".wal.damaged-*"


@dataclass(slots=True)
class Retention:
    """What went, or would go: by class how many rows by table, and which files. ``held``: what was kept by holds, in
    words.
    """

    status: str = "dry run"
    before: dict[str, str] = field(default_factory=dict)  # by class the first time that is kept
    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    files: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return {
            "status": self.status,
            "before": self.before,
            "rows": self.rows,
            "files": self.files,
            "notes": self.notes,
            "seconds": round(self.seconds, 3),
        }


def retain(
    mart: Path,
    policy: Policy,
    *,
    dry_run: bool = False,
    landing: Path | None = None,
    keys: str | None = None,
    wait: float = 0.0,
    now: datetime | None = None,
) -> Retention:
    """Apply a policy as of ``now``. A dry run tells what would go, and changes nothing.

    Raises UsageError without a mart, LockedError, StorageError and IntegrityError as loads do.
    """
    began, at, report = time.monotonic(), now or datetime.now(UTC), Retention()
    store = mart_at(mart)
    store.must_exist()
    with telling(keys), loader_lock(mart, wait=wait):
        store.prepare(all_tables(), wait=wait)
        if dry_run:
            note(mart, "retain.dry-run")
            _Run(store, policy, at, landing, report, dry_run=True).all(wait)
        else:
            with audited(mart, "retain") as act:
                _take_out(_Run(store, policy, at, landing, report, dry_run=False, intent=act.intent), store, act, wait)
    report.seconds = time.monotonic() - began
    return report


def _take_out(run: _Run, store: Mart, act: Act, wait: float) -> None:
    """Do all of it, and let its audit record name the versions that are left."""
    fresh = run.all(wait)
    if fresh is not None:
        put_in_place(fresh, store.path)
        clean_staging(store.path)
    with store.connect(read_only=True, wait=wait) as connection:
        anchor_anew(act, connection)
    act.detail |= {"rows": run.report.rows, "files": {of: len(some) for of, some in run.report.files.items()}}


class _Run:
    """One application of a policy, under the loader's lock."""

    def __init__(
        self,
        mart: Mart,
        policy: Policy,
        now: datetime,
        landing: Path | None,
        report: Retention,
        *,
        dry_run: bool,
        intent: Written | None = None,
    ) -> None:
        self._intent = intent
        self.report = report
        self._mart = mart
        self._policy = policy
        self._now = now
        self._landing = landing or mart.path.with_name(mart.path.name + ".landing")
        self._report = report
        self._dry_run = dry_run
        self._before = {of: age.before(now) for of, age in policy.ages.items()}

    def all(self, wait: float) -> Path | None:
        """The new file of the mart; None when no row goes, or it is a dry run."""
        report = self._report
        report.before = {str(of): at.isoformat() for of, at in self._before.items()}
        with self._mart.connect(wait=wait) as connection:
            kept = kept_by(connection, self._policy.holds, self._secrets())
            self._tell(kept)
            found = old_rows(connection, self._before, self._policy.since, kept)
            for of, changes in found.items():
                report.rows[str(of)] = {
                    f"{schema}.{table}": len(change.gone | change.replaced)
                    for (schema, table), change in sorted(changes.items())
                }
            paths = self._files(kept)
            report.files = {str(of): [str(path) for path in some] for of, some in paths.items() if some}
            if self._dry_run:
                return None
            report.status = "done"
            for some in paths.values():
                _remove(some)
            together = _together(found)
            if together:
                must_have_room(self._mart.path)
            self._note(connection, together)
            return self._anew(connection, together) if together else None

    def _secrets(self) -> list[bytes]:
        if not any(hold.token is not None for hold in self._policy.holds):
            return []
        return secrets_of(keys_of(self._mart.path))

    def _tell(self, kept: Kept) -> None:
        notes = self._report.notes
        if kept.everything:
            notes.append("everything is held: nothing goes")
        notes += [f"{of} is held" for of in sorted(kept.classes)]
        notes += [f"source {source} is held" for source in sorted(kept.sources)]
        notes += [f"{of} of source {source} is held" for of, source in sorted(kept.of_class)]
        if kept.people:
            notes.append(f"{len(kept.people)} patients are held")
        if kept.unknown:
            notes.append(f"{kept.unknown} holds are of patients whom the mart does not know")

    def _files(self, kept: Kept) -> dict[DataClass, list[Path]]:
        """Folders and files that are older than their class is kept. What may be of a source or patient who is held
        stays whole.
        """
        found: dict[DataClass, list[Path]] = defaultdict(list)
        held = kept.everything or bool(kept.people or kept.sources)
        classes = kept.classes | {of for of, _ in kept.of_class}
        if not held and DataClass.LANDING in self._before and DataClass.LANDING not in classes:
            found[DataClass.LANDING] = self._landed(self._before[DataClass.LANDING])
        if DataClass.STAGED in self._before and DataClass.STAGED not in classes and not kept.everything:
            root = staging_root(self._mart.path)
            old = root.iterdir() if root.is_dir() else ()
            found[DataClass.STAGED] = [path for path in sorted(old) if _time(path) < self._before[DataClass.STAGED]]
        if not held and DataClass.PUBLISHED in self._before and DataClass.PUBLISHED not in classes:
            at = self._before[DataClass.PUBLISHED]
            found[DataClass.PUBLISHED] = [f for f in published_folders(self._mart.path) if published_at(f) < at]
        if not held and DataClass.LOGS in self._before and DataClass.LOGS not in classes:
            logs = sorted(self._mart.path.parent.glob(self._mart.path.name + _LOGS_ASIDE))
            found[DataClass.LOGS] = [path for path in logs if _time(path) < self._before[DataClass.LOGS]]
        return found

    def _landed(self, before: datetime) -> list[Path]:
        """Exports that were loaded. One that was not stays, whatever its age."""
        if not self._landing.is_dir():
            return []
        found = []
        for folder in sorted(path for path in self._landing.iterdir() if path.is_dir()):
            manifest = folder / MANIFEST_NAME
            if not manifest.exists() or _time(manifest) >= before:
                continue
            job = read_job(folder)
            if job is None or not job.loaded:
                self._report.notes.append(f"{folder} is old enough to go, but was never loaded: load or remove it")
                continue
            found.append(folder)
        return found

    def _note(self, connection: duckdb.DuckDBPyConnection, changes: Mapping[Place, Change]) -> None:
        """Keep the holds, and number the commit that takes rows out."""
        self._mart.note(connection)
        holds = [Hold(h.why, h.data_class and str(h.data_class), h.source, h.token) for h in self._policy.holds]
        connection.execute("BEGIN TRANSACTION")
        try:
            save_holds(connection, holds, self._now)
            if changes:
                ((source,),) = connection.execute("SELECT coalesce(min(source), '') FROM etl.commit").fetchall()
                report = LoadReport(f"retain-{new_load_id()}", source, self._now, self._now, kind="retain")
                report.options = {"kind": "retain"}
                number_commit(connection, report, self._now, 0, self._intent)
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        self._mart.note(connection)

    def _anew(self, connection: duckdb.DuckDBPyConnection, changes: Mapping[Place, Change]) -> Path:
        clean_staging(self._mart.path)
        folder = staging_root(self._mart.path) / "retain"
        folder.mkdir(parents=True, mode=0o700)
        fresh = folder / self._mart.path.name
        self._mart.attach(connection, fresh, FRESH)
        rewrite(connection, changes)
        with using_fresh(connection):
            publish_again(connection, self._mart)
        detach(connection)
        connection.execute("CHECKPOINT")
        return fresh


def _together(found: Mapping[DataClass, Mapping[Place, Change]]) -> dict[Place, Change]:
    made: dict[Place, Change] = defaultdict(Change)
    for changes in found.values():
        for place, change in changes.items():
            made[place].gone |= change.gone
            made[place].replaced |= change.replaced
            made[place].fresh += change.fresh
    return dict(made)


def _time(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _remove(paths: list[Path]) -> None:
    try:
        for path in paths:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"what is old cannot be removed: {error.filename}: {error.strerror}") from error
