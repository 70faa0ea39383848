"""Records of what commands and flows do, in the audit trail of the mart that they do it to."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import ClinmartError, StorageError

if TYPE_CHECKING:
    import duckdb

    from stores.audit import Record, Trail, Who
    from stores.audit.trail import Written

_told: list[str] = []  # the reason that the command line was given


def tell_reason(given: str | None) -> None:
    """Take the reason of the command that runs. UsageError when it is no short line."""
    from stores.audit.record import known_reason  # noqa: PLC0415 - late

    _told[:] = [told] if (told := known_reason(given)) else []


def told_reason() -> str | None:
    """Why the command runs, if somebody said so: ``--reason``, else ``CLINMART_REASON``."""
    from flows.settings import environment  # noqa: PLC0415 - late
    from stores.audit.record import known_reason  # noqa: PLC0415

    return _told[0] if _told else known_reason(environment("REASON", ""))


@cache
def _account() -> tuple[str, int]:
    import pwd  # noqa: PLC0415 - late

    uid = os.geteuid()
    try:
        return pwd.getpwuid(uid).pw_name, uid
    except KeyError:  # a container's user has no name
        return "", uid


def who() -> Who:
    """The account, host and process that acts now."""
    from stores.audit import Who  # noqa: PLC0415 - late
    from stores.audit.reconcile import started_at  # noqa: PLC0415

    user, uid = _account()
    pid = os.getpid()
    return Who(user, uid, socket.gethostname(), pid, started_at(pid), f"clinmart {version('clinmart')}")


def trail_of(mart: Path) -> Trail:
    """The audit trail of a mart, to be written by this process."""
    from stores.audit import Trail  # noqa: PLC0415 - late

    return Trail(mart, who())


@dataclass(slots=True)
class Act:
    """What is being done. Its outcome is ``ok`` unless told otherwise; ``detail`` are counts and hashes, JSON values
    without floats and without anything of a patient.
    """

    outcome: str = "ok"
    detail: dict[str, object] = field(default_factory=dict)
    intent: Written | None = None  # its record, of which a commit to the mart is to tell


@contextmanager
def audited(
    mart: Path,
    action: str,
    *,
    where: Mapping[str, object] | None = None,
    reason: str | None = None,
    detail: Mapping[str, object] | None = None,
    sealed: bool = True,
) -> Iterator[Act]:
    """Tell the trail of ``mart`` what shall be done, then what became of it.

    ``where``: source, table, view or load. ``reason``: why, else as the command line was told. ``sealed``: sign a
    checkpoint at the end. Nothing is done when the trail cannot be written: StorageError.
    """
    trail, told = trail_of(mart), dict(where or {})
    intent = trail.append(_record(action, "intent", told, reason, detail=detail))
    act = Act(intent=intent)
    try:
        yield act
    except BaseException as error:
        outcome, fault = fault_of(error)
        trail.settle(_record(action, "outcome", told, None, outcome, intent.number, act.detail | fault))
        if sealed and isinstance(error, SystemExit):
            seal(trail, mart)
        raise
    trail.append(_record(action, "outcome", told, None, act.outcome, intent.number, act.detail))
    if sealed:
        seal(trail, mart)


def anchor_anew(act: Act, connection: duckdb.DuckDBPyConnection) -> None:
    """Let the outcome of what took versions out of a mart (or moved them) name those that are there now, of all loads.

    Without it ``clinmart audit verify`` would miss them. Inside the transaction, or right after it.
    """
    from stores.audit import stored_versions  # noqa: PLC0415 - late
    from stores.audit.versions import EVERY_LOAD  # noqa: PLC0415
    from stores.stored import stored_columns  # noqa: PLC0415

    act.detail["anchored"] = [EVERY_LOAD]
    act.detail["versions"] = [one.as_dict() for one in stored_versions(connection, stored_columns(connection))]


def note(
    mart: Path,
    action: str,
    *,
    where: Mapping[str, object] | None = None,
    reason: str | None = None,
    detail: Mapping[str, object] | None = None,
    required: bool = True,
) -> None:
    """Tell the trail of ``mart`` of something that is done at once, such as to look something up.

    StorageError when it cannot be written, and is ``required``; else that is only warned of.
    """
    try:
        trail_of(mart).append(_record(action, "event", dict(where or {}), reason, detail=detail))
    except StorageError as error:
        if required:
            raise
        import logging  # noqa: PLC0415 - late

        logging.getLogger(__name__).warning("%s: that the mart was looked at is not on record", error)


def seal(trail: Trail, mart: Path) -> None:
    """Sign what the trail holds, here and where copies are kept; see :mod:`flows.sealing`."""
    from flows.sealing import seal as sign  # noqa: PLC0415 - late

    sign(trail, mart)


def fault_of(error: BaseException) -> tuple[str, dict[str, object]]:
    """The outcome of what ended by an error, and what failed, without the error's text, which may name files."""
    if isinstance(error, SystemExit):  # how commands tell that they did what they could
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        return _OUTCOMES.get(code, "failed"), {"exit_code": code} if code else {}
    told: dict[str, object] = {"error": type(error).__name__}
    if isinstance(error, ClinmartError):
        told["exit_code"] = error.exit_code
    return "failed", told


_OUTCOMES = {0: "ok", 3: "quarantined", 143: "drained"}  # by exit code


def _record(
    action: str,
    phase: str,
    where: Mapping[str, object],
    reason: str | None,
    outcome: str | None = None,
    re: int | None = None,
    detail: Mapping[str, object] | None = None,
) -> Record:
    from stores.audit import Phase, Record  # noqa: PLC0415 - late

    why = reason if reason is not None or phase == "outcome" else told_reason()
    return Record(action, Phase(phase), where, why, outcome, re, dict(detail or {}))
