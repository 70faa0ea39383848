"""A record of the trail: a line of canonical JSON that holds its own hash and that of the one before.

`hash` is the RFC 6962 leaf hash (SHA-256 of 0x00 and the bytes) of the line without it; `prev` is the `hash` of the
record before, 64 zeros for the first. So the hashes that chain the records are the leaves of the tree that checkpoints
sign. No record holds a name of a file, an id or a value of a patient, or a secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from schemas.errors import UsageError
from stores.audit.merkle import leaf_hash

FIRST = "0" * 64  # what the first record follows
_LONGEST_REASON = 500  # characters
_REQUIRED = {"n": int, "at": str, "action": str, "phase": str, "who": dict, "prev": str, "hash": str}
_HASH = re.compile(r"[0-9a-f]{64}")


class Phase(StrEnum):
    """Of what is done in two steps, what shall be done and what became of it; else the thing itself."""

    INTENT = "intent"
    OUTCOME = "outcome"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class Who:
    """Who acts: account, host and process. ``started`` tells processes of the same number apart (clock ticks)."""

    user: str
    uid: int
    host: str
    pid: int
    started: int
    program: str

    def as_dict(self) -> dict[str, object]:
        """As a record has it."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Record:
    """What a record says; the trail adds number, time and hashes.

    ``where``: mart, source, load, table or view. ``re``: of an outcome, the number of its intent. ``outcome``: ok,
    quarantined, drained, failed, or another word. ``detail``: counts, hashes and whatever else is of use, JSON values
    without floats.
    """

    action: str
    phase: Phase
    where: Mapping[str, object] = field(default_factory=dict)
    why: str | None = None
    outcome: str | None = None
    re: int | None = None
    detail: Mapping[str, object] = field(default_factory=dict)


def canonical_line(values: Mapping[str, object]) -> bytes:
    """Sorted keys, no white space, ASCII only: the one way to write a record. TypeError for what JSON has not."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def render(record: Record, who: Who, number: int, at: str, prev: str) -> tuple[bytes, str]:
    """The line of a record without its line end, and its hash in hexadecimal."""
    values: dict[str, object] = {
        "v": 1,
        "n": number,
        "at": at,
        "action": record.action,
        "phase": str(record.phase),
        "who": who.as_dict(),
        "prev": prev,
    }
    told = {"where": record.where, "why": record.why, "outcome": record.outcome, "re": record.re} | {
        "detail": record.detail
    }
    values |= {name: value for name, value in told.items() if value is not None and value != {}}
    made = leaf_hash(canonical_line(values)).hex()
    return canonical_line(values | {"hash": made}), made


def parse(line: bytes) -> dict[str, object] | str:
    """The values of a line whose hash is right and that is written as it should be; else what is wrong, in words."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return "is not JSON"
    if not isinstance(values, dict) or any(type(values.get(k)) is not kind for k, kind in _REQUIRED.items()):
        return "is no record"
    if canonical_line(values) != line:
        return "is not written as records are"
    if leaf_hash(canonical_line({k: v for k, v in values.items() if k != "hash"})).hex() != values["hash"]:
        return "was altered: its hash is another one"
    if not _HASH.fullmatch(str(values["prev"])):
        return "does not say what it follows"
    return values


def known_reason(given: str | None) -> str | None:
    """The reason that somebody gave, without white space around it. UsageError when it is too long or no line."""
    if given is None or not (told := given.strip()):
        return None
    if len(told) > _LONGEST_REASON or not told.isprintable():
        raise UsageError(
            f"--reason has {len(told)} characters or more than a line: give one line of at most {_LONGEST_REASON}, "
            "and no name or number of a patient"
        )
    return told
