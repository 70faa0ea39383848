"""Takes hold of a mart for a load: lock, staging area, and what the mart says before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TypeVar

from flows.audit_session import SessionAudit
from flows.before import Before, nothing_before, read_before
from flows.fhir_files import make_folder
from flows.keyring import keys_of, mart_at
from flows.masking import mask_logs
from flows.preferred_units import read_preferred_units
from flows.session import LoadSession
from flows.settings import LoadSettings, cache_folder, lineage_told, new_load_id
from schemas.records import LoadReport
from schemas.tables import all_tables
from stores.lock import loader_lock
from stores.mart import Mart
from stores.staging import Stage, clean_staging
from stores.tail import TailReceipt

_RUNNING_CHECKPOINT = "512MB"
_Session = TypeVar("_Session", bound=LoadSession)


@contextmanager
def open_session(
    settings: LoadSettings,
    kind: str = "load",
    lost: Sequence[TailReceipt] = (),
    beside: LoadSession | None = None,
) -> Iterator[LoadSession]:
    """A session of a load; see :func:`open_session_of`."""
    with open_session_of(LoadSession, settings, kind, lost, beside) as session:
        yield session


@contextmanager
def open_session_of(
    of_kind: type[_Session],
    settings: LoadSettings,
    kind: str,
    lost: Sequence[TailReceipt] = (),
    beside: LoadSession | None = None,
) -> Iterator[_Session]:
    """Take the mart's lock, make the mart if need be, and clear what a dead load left in the staging area.

    ``kind`` is what `etl.load` calls it. ``lost`` are partitions of a mart under repair, to be read again with the time
    that they had. A session ``beside`` another shares its hold on the mart. Raises LockedError, StorageError or
    UsageError when the mart cannot be had, IntegrityError when it lost work.
    """
    now = datetime.now(UTC)
    preferred = read_preferred_units(settings.preferred_units)
    report = LoadReport(new_load_id(now), settings.source, settings.as_of or now, now, kind=kind)
    report.options = settings.options() | ({} if kind == "load" else {"kind": kind})
    mask_logs(lambda: _mask_key(settings))
    with ExitStack() as stack:
        if beside is not None:
            stage = Stage(settings.mart, report.load_id, beside.keys, seal=beside.mart.is_encrypted)
            stack.callback(stage.close)
            audit = SessionAudit(settings.mart, report)
            stack.enter_context(audit.load())
            before = read_before(beside.mart, settings, lost)
            session = of_kind(settings, beside.mart, stage, report, before, preferred, lambda: None, beside.keys, audit)
            _tell_lineage(stack, session)
            yield session
            return
        listening = kind == "listen"  # then those who wait for answers come first
        running = kind in ("listen", "consume")  # for days, with a commit every moment
        mart = mart_at(
            settings.mart,
            threads=1 if listening else None,
            memory=settings.memory,
            repairing=bool(lost),
            moulds=cache_folder(),
            checkpoint=_RUNNING_CHECKPOINT if running else None,
            encrypt=settings.encrypt,
        )
        mart.must_be_possible()
        if settings.to_fhir is not None:
            make_folder(settings.to_fhir)
        stack.enter_context(loader_lock(settings.mart, wait=settings.wait))
        audit = SessionAudit(settings.mart, report)
        stack.enter_context(audit.load())
        keys = keys_of(settings.mart, create=True)
        making = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="clinmart-mart"))
        new = not settings.mart.exists()  # then nothing is known of it that the work would have to wait for
        made = making.submit(mart.prepare, all_tables(), wait=settings.wait)
        new = new and settings.replaces is None
        if new:
            audit.reconcile(None)
        before = nothing_before(settings) if new else _before(made, mart, settings, lost, audit)
        clean_staging(settings.mart)
        stage = Stage(settings.mart, report.load_id, keys, seal=mart.is_encrypted)
        stack.callback(stage.close)
        session = of_kind(settings, mart, stage, report, before, preferred, made.result, keys, audit)
        _tell_lineage(stack, session)
        yield session


def _mask_key(settings: LoadSettings) -> bytes:
    from stores.keys import Purpose  # noqa: PLC0415 - nearly never needed

    return keys_of(settings.mart, create=True).current(Purpose.MASK).secret


def _tell_lineage(stack: ExitStack, session: LoadSession) -> None:
    """Tell of the run where somebody said where to."""
    if where := lineage_told(session.settings.lineage):
        from flows.lineage.observe import told_as_lineage  # noqa: PLC0415 - who tells nobody does not pay for it

        stack.enter_context(told_as_lineage(session, where))


def _before(
    made: Future[None], mart: Mart, settings: LoadSettings, lost: Sequence[TailReceipt], audit: SessionAudit
) -> Before:
    made.result()
    return read_before(mart, settings, lost, audit)
