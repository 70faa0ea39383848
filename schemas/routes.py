"""Rules that say by the header of an HL7 v2 message where it belongs and how it is read."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

FIELDS = ("MSH-3", "MSH-4", "MSH-9", "MSH-12")  # what a rule can match


class MessageDecoder(StrEnum):
    """What is made of a message."""

    TABLES = "tables"  # rows of tables, and segments that no map reads
    KEEP = "keep"  # nothing: all its segments are kept
    REJECT = "reject"  # nothing: it is refused


@dataclass(frozen=True, slots=True)
class MshFields:
    """What of a header rules look at, components between ``^`` whatever the message has, empty where absent.

    ``application`` and ``facility`` are MSH-3 and MSH-4 whole, ``message`` MSH-9.1 and MSH-9.2 (``ORU^R01``),
    ``version`` MSH-12.1.
    """

    application: str = ""
    facility: str = ""
    message: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """Takes messages whose header matches: of each field that is named one of its patterns.

    In a pattern ``*`` is any text and ``?`` one character. ``zone`` and ``charset`` (a codec) are those of times and
    messages that name none; None: as without the rule. ``source`` None: the load's own. ``line`` is where the rule
    begins in its file.
    """

    match: tuple[tuple[str, tuple[str, ...]], ...] = ()
    source: str | None = None
    zone: str | None = None
    charset: str | None = None
    decoder: MessageDecoder = MessageDecoder.TABLES
    line: int = field(default=0, compare=False)

    def takes(self, fields: MshFields) -> bool:
        """True when the rule is for messages with this header."""
        return all(any(_matches(name, pattern, fields) for pattern in patterns) for name, patterns in self.match)


@dataclass(frozen=True, slots=True)
class Routes:
    """Rules in order, the first that takes a message counts. ``source`` is that of rules that name none, and of
    messages that no rule takes; ``uri`` the file.
    """

    rules: tuple[Rule, ...]
    source: str = ""
    uri: str = field(default="", compare=False)

    def of(self, source: str) -> Routes:
        """The same rules in a load of this source."""
        return replace(self, source=source)

    @property
    def sources(self) -> tuple[str, ...]:
        """All sources that messages can get, the load's own first."""
        named = (rule.source or self.source for rule in self.rules)
        return tuple(dict.fromkeys((self.source, *named)))

    def as_json(self) -> str:
        """The rules as text, the same for the same rules; :meth:`from_json` takes it back."""
        rules = [
            {"match": dict(rule.match)}
            | {name: getattr(rule, name) for name in ("source", "zone", "charset", "decoder")}
            for rule in self.rules
        ]
        return json.dumps({"source": self.source, "rules": rules}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Routes:
        """The rules whose :meth:`as_json` is ``text``."""
        told: Mapping[str, Any] = json.loads(text)
        rules = [
            Rule(
                tuple((name, tuple(patterns)) for name, patterns in one["match"].items()),
                one["source"],
                one["zone"],
                one["charset"],
                MessageDecoder(one["decoder"]),
            )
            for one in told["rules"]
        ]
        return cls(tuple(rules), told["source"])

    @property
    def digest(self) -> str:
        """SHA-256 of the rules, in hex: files that were loaded by others are read again."""
        return hashlib.sha256(self.as_json().encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Route:
    """Where a message belongs and how it is read. ``rule`` is the number of the rule, from 1 on; None: no rule takes
    it, and it is kept whole.
    """

    source: str
    decoder: MessageDecoder
    rule: int | None
    zone: str | None = None
    charset: str | None = None


def _matches(name: str, pattern: str, fields: MshFields) -> bool:
    """MSH-9 is matched by its type alone unless the pattern has a trigger; MSH-3 and MSH-4 whole or by their first
    component.
    """
    compiled = _compiled(pattern)
    if name == "MSH-9":
        told = fields.message if "^" in pattern else fields.message.partition("^")[0]
        return compiled.fullmatch(told) is not None
    if name == "MSH-12":
        return compiled.fullmatch(fields.version) is not None
    told = fields.application if name == "MSH-3" else fields.facility
    return any(compiled.fullmatch(one) for one in (told, told.partition("^")[0]))


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    known = {"*": ".*", "?": "."}
    return re.compile("".join(known.get(c) or re.escape(c) for c in pattern), re.DOTALL)
