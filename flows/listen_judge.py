"""What of a listener's messages must be known before they are answered: whether their rows would pass the checks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from flows.listen_commit import Message
from flows.worker import Worker
from schemas.errors import ClinmartError
from schemas.reasons import Reason, reason_of
from schemas.records import Chunk, ChunkKind, Rejection
from stores.messages import LISTENED
from transforms.acknowledge.conditions import Condition, Problem
from transforms.decode.hl7v2.forms import KnownForms, forms_of

_LOG = logging.getLogger(__name__)
_CONDITIONS = {
    Reason.MALFORMED_HEADER: Condition.SEGMENT_SEQUENCE_ERROR,
    Reason.REQUIRED_MISSING: Condition.REQUIRED_FIELD_MISSING,
    Reason.REJECTED_BY_RULE: Condition.UNSUPPORTED_MESSAGE_TYPE,
    Reason.CODE_NOT_IN_VALUE_SET: Condition.TABLE_VALUE_NOT_FOUND,
    Reason.UNDECODABLE: Condition.INTERNAL_ERROR,
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message goes to the quarantine: a reason's code, and what its sender is told."""

    reason: str
    problem: Problem


def problem_of(reason: str, place: tuple[str, int, int] | None = None) -> Problem:
    """What is told of a message that is quarantined for a reason; without any value of it."""
    known = reason_of(reason)
    return Problem(_CONDITIONS.get(known, Condition.DATA_TYPE_ERROR), known.meaning, place)


def message_chunk(number: int, data: bytes, seen: datetime) -> Chunk:
    """A message that a listener took in, as a chunk of its own."""
    return Chunk(LISTENED, number, 1, data, ChunkKind.HL7V2, (number,), lengths=(len(data),), seen=seen)


class Judge:
    """Judges messages; ``every``: also those of a form that is known."""

    def __init__(self, worker: Worker, charset: str | None, *, every: bool) -> None:
        self._worker = worker
        self._charset = charset
        self._every = every
        self._known = KnownForms()

    def doubts(self, data: bytes) -> bool:
        """True when a message must be judged before it is answered."""
        if self._every:
            return True
        forms = forms_of(data, self._charset)
        return forms is None or not self._known.has(forms)

    def refusals(self, messages: Sequence[Message]) -> list[Refusal | None]:
        """For each message why it is refused; None when its rows pass. Forms of these are known from now on."""
        made = self._judged(messages)
        for message, refusal in zip(messages, made, strict=True):
            if refusal is None:
                self.learn(message.data)
        return made

    def learn(self, data: bytes) -> None:
        """Rows were made of this message."""
        if not self._every:
            self._known.learn(forms_of(data, self._charset) or ())

    def forget(self, data: bytes) -> None:
        """This message was refused, whatever its form promised."""
        self._known.forget(forms_of(data, self._charset) or ())

    def _judged(self, messages: Sequence[Message]) -> list[Refusal | None]:
        if not messages:
            return []
        chunks = [message_chunk(n, one.data, one.received_at) for n, one in enumerate(messages)]
        try:
            rejections = self._worker.judge(chunks, messages[0].received_at)
        except (ClinmartError, OSError, MemoryError, duckdb.OutOfMemoryException):  # no message's fault: it may pass
            raise
        except Exception as error:  # noqa: BLE001 # a fault of ours in one message must not keep the others waiting
            if len(messages) > 1:
                half = len(messages) // 2
                return self._judged(messages[:half]) + self._judged(messages[half:])
            _LOG.error("a message cannot be decoded: internal error %s", type(error).__name__)
            return [Refusal(Reason.UNDECODABLE, problem_of(Reason.UNDECODABLE))]
        refused: list[Refusal | None] = [None] * len(messages)
        for rejection in sorted(rejections, key=lambda one: one.line, reverse=True):
            refused[rejection.offset] = Refusal(rejection.code, problem_of(rejection.code, _place(rejection)))
        return refused


def _place(rejection: Rejection) -> tuple[str, int, int]:
    """The segment that is at fault, and which of its name it is."""
    lines = rejection.payload.replace(b"\r\n", b"\r").replace(b"\n", b"\r").split(b"\r")[: rejection.line]
    name = lines[-1][:3]
    return name.decode("ascii", "replace"), sum(line[:3] == name for line in lines), 0
