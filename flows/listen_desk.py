"""Between the connections and the mart: reads what comes, has it committed, and answers."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import logging
import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from flows.listen_commit import Lanes, Message, Outcome, Taken
from flows.listen_report import ListenReport
from flows.listen_seen import Key, Seen
from schemas import signals
from schemas.errors import LockedError
from schemas.signals import ANSWER_SECONDS
from sources.mllp.framer import Event, Fault, FaultReason
from transforms.acknowledge.answer import Decision, Verdict, answers
from transforms.acknowledge.conditions import Condition, Problem
from transforms.acknowledge.header import Header, holds_second_header, read_header

_LOG = logging.getLogger(__name__)
_MSH_9, _MSH_10 = ("MSH", 1, 9), ("MSH", 1, 10)
_NO_HEADER = Problem(Condition.SEGMENT_SEQUENCE_ERROR, "no MSH segment with its delimiters at the beginning")
_TWO_MESSAGES = Problem(Condition.SEGMENT_SEQUENCE_ERROR, "more than one MSH segment in one frame", ("MSH", 2, 0))
_NO_CONTROL_ID = Problem(Condition.REQUIRED_FIELD_MISSING, "no control id to acknowledge the message by", _MSH_10)
_BLOCK_INSIDE = Problem(Condition.DATA_TYPE_ERROR, "the block character 1C in the middle of the message")
_TOO_LONG = Problem(Condition.VALUE_TOO_LONG, "the message is longer than the receiver allows")
_CONFLICT = Problem(Condition.DUPLICATE_KEY, "the control id is that of another message", _MSH_10)
_NO_ROUTE = Problem(Condition.UNSUPPORTED_MESSAGE_TYPE, "no rule takes messages like this one", _MSH_9)
_LOCKED = Problem(Condition.RECORD_LOCKED, "the receiver's store is in use: send the message again")
_NOT_STORED = Problem(Condition.INTERNAL_ERROR, "the receiver cannot store messages now: send the message again")

_VERDICTS = {
    Taken.APPLIED: Verdict.ACCEPTED,
    Taken.DUPLICATE: Verdict.ACCEPTED,
    Taken.QUARANTINED: Verdict.QUARANTINED,
    Taken.CONFLICT: Verdict.CONFLICT,
    Taken.REJECTED: Verdict.REJECTED,
}


class Desk:
    """Receives frames (:class:`sources.mllp.connection.Receiver`)."""

    def __init__(self, group: Lanes, seen: Seen, report: ListenReport) -> None:
        self._group = group
        self._seen = seen
        self._report = report
        self._in_flight: dict[Key, tuple[bytes, asyncio.Future[Decision]]] = {}
        self._numbers = itertools.count(1)
        self._name = secrets.token_hex(4)  # of this run, so that our control ids are never used again

    async def receive(self, event: Event, peer: str) -> Sequence[bytes]:
        """The acknowledgments of a message, when it is durable or was found to be none."""
        began = time.monotonic()
        data = event.head if isinstance(event, Fault) else event.data
        self._report.bytes += event.length if isinstance(event, Fault) else len(data)
        header = read_header(data)
        if header is not None and header.is_acknowledgment:
            self._report.acknowledgments += 1  # to answer it would be answered in turn, for ever
            return ()
        if isinstance(event, Fault):
            self._count_fault(event, peer)
            problem: Problem | None = _TOO_LONG if event.reason is FaultReason.TOO_LONG else _BLOCK_INSIDE
        else:
            problem = _unreadable(header, data)
        if header is None or problem is not None:
            decision = Decision(Verdict.REJECTED, problem)
        else:
            decision = await self._decide((*header.sender, header.control_id), data)
        if decision.verdict in (Verdict.REJECTED, Verdict.CONFLICT, Verdict.NOT_STORED):
            self._report.not_taken[decision.verdict.name.lower()] += 1
        signals.tell(ANSWER_SECONDS, time.monotonic() - began, code=decision.verdict.name.lower())
        return answers(header, decision, datetime.now(UTC), f"{self._name}{next(self._numbers):X}")

    def dropped(self, fault: Fault, peer: str) -> None:
        """Bytes that are no message, and whose sender waits for no answer."""
        self._report.bytes += fault.length
        self._count_fault(fault, peer)

    async def _decide(self, key: Key, data: bytes) -> Decision:
        sha256 = hashlib.sha256(data).digest()
        if (known := self._seen.find(key)) is not None:
            return self._again(*known, sha256)
        if (other := self._in_flight.get(key)) is not None:
            first, coming = other
            decision = await coming
            durable = decision.verdict in (Verdict.ACCEPTED, Verdict.QUARANTINED)
            return self._again(first, decision, sha256) if durable else decision
        coming = asyncio.get_running_loop().create_future()
        self._in_flight[key] = sha256, coming
        decision = Decision(Verdict.NOT_STORED, _NOT_STORED)
        try:
            decision = await self._store(Message(data, key, sha256, datetime.now(UTC)))
        finally:
            del self._in_flight[key]
            coming.set_result(decision)
        return decision

    async def _store(self, message: Message) -> Decision:
        try:
            outcome = await self._group.submit(message)
        except LockedError:
            return Decision(Verdict.NOT_STORED, _LOCKED)
        except Exception:  # noqa: BLE001 # was logged where it was raised; whatever it is, nothing is acknowledged
            return Decision(Verdict.NOT_STORED, _NOT_STORED)
        decision = self._decision(outcome)
        if outcome.taken in (Taken.APPLIED, Taken.DUPLICATE, Taken.QUARANTINED):
            self._report.inputs.read += 1
            name = outcome.taken.value
            setattr(self._report.inputs, name, getattr(self._report.inputs, name) + 1)
            self._seen.add(message.key, message.sha256, decision)
        return decision

    def _decision(self, outcome: Outcome) -> Decision:
        if outcome.taken is Taken.DUPLICATE and outcome.problem is not None:
            return Decision(Verdict.QUARANTINED, outcome.problem)  # as it was answered at first
        default = {Taken.CONFLICT: _CONFLICT, Taken.REJECTED: _NO_ROUTE}.get(outcome.taken)
        return Decision(_VERDICTS[outcome.taken], outcome.problem or default)

    def _again(self, sha256: bytes, decision: Decision, came: bytes) -> Decision:
        """A control id that is known: the same answer for the same message, which is counted, else a conflict."""
        if came != sha256:
            return Decision(Verdict.CONFLICT, _CONFLICT)
        self._report.inputs.read += 1
        self._report.inputs.duplicate += 1
        return decision

    def _count_fault(self, fault: Fault, peer: str) -> None:
        """Count it; of very many only the first, tenth, hundredth ... is logged."""
        self._report.faults[fault.reason] += 1
        count = self._report.faults[fault.reason]
        if set(str(count)[1:]) <= {"0"} and str(count)[0] == "1":
            size = f"{fault.length:,}"  # a long row of digits would be masked as an identifier
            _LOG.warning("%s: %s bytes that are no message (%s, number %d)", peer, size, fault.reason, count)


def _unreadable(header: Header | None, data: bytes) -> Problem | None:
    """Why a whole frame cannot be taken for a message; None when it can."""
    if header is None:
        return _NO_HEADER
    if holds_second_header(data):
        return _TWO_MESSAGES
    return None if header.control_id else _NO_CONTROL_ID
