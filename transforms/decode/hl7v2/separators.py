"""The delimiters of a message, from its MSH-1 and MSH-2 (HL7 v2.9 2.5.4)."""

from __future__ import annotations

from dataclasses import dataclass

MSH = "MSH"


@dataclass(frozen=True, slots=True)
class Separators:
    """One character each. ``escape`` is empty where no text has an escape sequence, or MSH-2 names no such character;
    ``truncation`` (HL7 v2.9 2.5.5.2) where MSH-2 names none.
    """

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str = ""


def separators_of(field: str, encoding: str) -> Separators | None:
    """The delimiters that MSH-1 and MSH-2 name; None where they cannot be told apart from the text or each other.

    MSH-2 may be short: what it lacks is not used in the message. An escape character that is written twice
    (``^~\\\\&``, an escaped text that was never unescaped) is meant once.
    """
    named = encoding[:2] + encoding[3:] if len(encoding) > 4 and encoding[2] == encoding[3] else encoding
    marks = (field, *named)
    if len(field) != 1 or not 1 <= len(named) <= 5 or len(set(marks)) < len(marks):
        return None
    if any(mark.isalnum() or mark.isspace() or not mark.isprintable() for mark in marks):
        return None
    return Separators(field, *named, *("" for _ in range(5 - len(named))))
