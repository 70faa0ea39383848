"""The acknowledgments of a message, in original and enhanced mode (HL7 v2.9 2.9.2 and 2.9.3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from transforms.acknowledge.conditions import Problem
from transforms.acknowledge.header import Header

_ERR_AS_FIELDS = 5  # since v2.5 ERR-2 to ERR-8 tell what ERR-1 told before
_NEVER, _ON_ERROR, _ON_SUCCESS = "NE", "ER", "SU"  # table 0155; AL is what remains
_UNKNOWN = Header(("|", "^~\\&", *[""] * 8, "P", "2.5.1"), "ascii")  # for the answer to what has no header


class Verdict(Enum):
    """What became of a message, with its codes of table 0008: application acknowledgment, commit acknowledgment."""

    ACCEPTED = "AA", "CA"
    QUARANTINED = "AE", "CA"  # it is kept, so that it need not be sent again
    CONFLICT = "AE", "CE"  # its control id is another message's
    REJECTED = "AR", "CR"  # it cannot be read or routed
    NOT_STORED = "AR", "CE"  # nothing is wrong with it: the same message may be accepted later


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict and its reason; what was accepted needs none."""

    verdict: Verdict
    problem: Problem | None = None


def answers(header: Header | None, decision: Decision, now: datetime, control_id: str) -> list[bytes]:
    """The acknowledgments to send for a message, in their order: none, one or two.

    ``header`` is None where none could be read: then the answer has the usual delimiters and an empty MSA-2.
    ``now`` is in UTC. ``control_id`` is ours: ASCII, at most 19 characters long, for a second answer adds one more.
    """
    header = header or _UNKNOWN
    application, commit = decision.verdict.value
    accept_when, application_when = header.field(15).upper(), header.field(16).upper()
    if not accept_when and not application_when:
        return [_acknowledgment(header, application, decision.problem, now, control_id)]
    sent = []
    # In enhanced mode a field that is absent asks for nothing, for the other one is there.
    if _wanted(accept_when or _NEVER, good=commit == "CA"):
        sent.append(_acknowledgment(header, commit, decision.problem if commit != "CA" else None, now, control_id))
        if commit != "CA":
            return sent  # a message that was not committed has no application answer
    if _wanted(application_when or _NEVER, good=application == "AA"):
        sent.append(_acknowledgment(header, application, decision.problem, now, control_id + "A" * len(sent)))
    return sent


def _wanted(when: str, *, good: bool) -> bool:
    if when == _NEVER:
        return False
    return good if when == _ON_SUCCESS else not good if when == _ON_ERROR else True


def _acknowledgment(header: Header, code: str, problem: Problem | None, now: datetime, control_id: str) -> bytes:
    mark = header.fields[0]
    old = header.minor_version is not None and header.minor_version < _ERR_AS_FIELDS
    msa = ["MSA", code, header.control_id]
    segments = [_msh(header, now, control_id), msa]
    if problem is not None:
        text = _escaped(problem.text, header)
        if old:
            msa.append(text)  # MSA-3, which ERR-8 has replaced
        segments.append(_old_err(problem, header) if old else _err(problem, text, header))
    lines = (mark.join(segment).rstrip(mark) for segment in segments)
    return "".join(f"{line}\r" for line in lines).encode(header.codec)


def _msh(header: Header, now: datetime, control_id: str) -> list[str]:
    """The answer's MSH: it goes back where the message came from, in its version, delimiters and characters."""
    component = header.fields[1][0]
    event = header.component(9, 2)
    kind = f"ACK{component}{event}{component}ACK" if event else "ACK"
    fields = ["MSH", header.fields[1], header.field(5), header.field(6), header.field(3), header.field(4)]
    fields += [f"{now:%Y%m%d%H%M%S}+0000", "", kind, control_id, header.field(11), header.field(12)]
    enhanced = _NEVER if header.field(15) or header.field(16) else ""
    rest = ["", "", enhanced, enhanced, "", header.field(18)]  # nobody need acknowledge an acknowledgment
    while rest and not rest[-1]:
        rest.pop()
    return fields + rest


def _err(problem: Problem, text: str, header: Header) -> list[str]:
    component = header.fields[1][0]
    place = component.join(str(part) for part in problem.place if part) if problem.place else ""
    condition = problem.condition
    coded = component.join((condition.code, _escaped(condition.display, header), "HL70357"))
    return ["ERR", "", place, coded, "E", "", "", "", text]


def _old_err(problem: Problem, header: Header) -> list[str]:
    """ERR before v2.5: place and condition are components of ERR-1, the parts of the condition subcomponents."""
    component, encoding = header.fields[1][0], header.fields[1]
    condition = problem.condition
    coded = condition.code
    if len(encoding) > 3:
        coded = encoding[3].join((coded, _escaped(condition.display, header), "HL70357"))
    place = [str(part or "") for part in problem.place] if problem.place else ["", "", ""]
    return ["ERR", component.join((*place, coded))]


def _escaped(text: str, header: Header) -> str:
    """Text of ours in the message's delimiters (HL7 v2.9 2.7.1); where there is no escape character, blanks."""
    mark, encoding = header.fields[0], header.fields[1]
    escape = encoding[2] if len(encoding) > 2 else ""
    names = dict(zip((mark, *encoding[:4]), "FSRET", strict=False))
    return "".join(
        c if c not in names else f"{escape}{names[c]}{escape}" if escape else " "
        for c in text.encode("ascii", "replace").decode()
    )
