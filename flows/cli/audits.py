"""Puts commands on record: one decorator, which also gives them ``--reason`` and ``--audit-copy``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, ParamSpec, TypeVar

import typer

_SAID = "Why, for the audit trail: one line, no name or number of a patient [default: CLINMART_REASON]."
_REASON = Annotated[str | None, typer.Option("--reason", help=_SAID)]
_WHY = Annotated[str | None, typer.Option("--why", help=_SAID)]
_COPY = Annotated[
    str | None,
    typer.Option(
        "--audit-copy",
        help="Keep signed checkpoints of the audit trail there too: a folder, or s3://BUCKET/PREFIX with object lock "
        "[default: CLINMART_AUDIT_COPY].",
    ),
]
_P = ParamSpec("_P")
_R = TypeVar("_R")


def audits(
    action: str | None = None, *, looks: bool = False, required: bool = True, where: Sequence[str] = ()
) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Record what a command with a ``mart`` does to it. ``action`` None: what it calls keeps its own records.

    ``looks``: it only shows something, which is on record before it is shown; if that cannot be, it is not shown when
    ``required``. Else intent and outcome are. ``where`` are parameters that say to what, and hold nothing of a patient.
    """

    def wrap(command: Callable[_P, _R]) -> Callable[_P, _R]:
        @functools.wraps(command)
        def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            from flows import auditing, sealing

            auditing.tell_reason(_text(kwargs.pop("audit_reason", None)))
            sealing.tell_copy(_text(kwargs.pop("audit_copy", None)))
            mart = kwargs.get("mart")
            if action is None or not isinstance(mart, Path) or not mart.exists():
                return command(*args, **kwargs)
            told = {name: str(value) for name in where if (value := kwargs.get(name)) is not None}
            if looks:
                auditing.note(mart, action, where=told, required=required)
                return command(*args, **kwargs)
            with auditing.audited(mart, action, where=told):
                return command(*args, **kwargs)

        signature = inspect.signature(command, eval_str=True)
        told = _WHY if "reason" in signature.parameters else _REASON  # which may be the reason of a refusal
        more = [inspect.Parameter("audit_reason", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=told)]
        if not looks:
            more.append(inspect.Parameter("audit_copy", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_COPY))
        run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *more])  # type: ignore[attr-defined] # what Typer reads
        return run

    return wrap


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
