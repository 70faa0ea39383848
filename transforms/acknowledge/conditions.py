"""Why a message was not simply accepted: the message error conditions of HL7 (table 0357)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Condition(Enum):
    """A code of HL7 table 0357 and its display."""

    SEGMENT_SEQUENCE_ERROR = "100", "Segment sequence error"
    REQUIRED_FIELD_MISSING = "101", "Required field missing"
    DATA_TYPE_ERROR = "102", "Data type error"
    TABLE_VALUE_NOT_FOUND = "103", "Table value not found"
    VALUE_TOO_LONG = "104", "Value too long"
    UNSUPPORTED_MESSAGE_TYPE = "200", "Unsupported message type"
    UNSUPPORTED_VERSION = "203", "Unsupported version id"
    DUPLICATE_KEY = "205", "Duplicate key identifier"
    RECORD_LOCKED = "206", "Application record locked"
    INTERNAL_ERROR = "207", "Application internal error"

    @property
    def code(self) -> str:
        """The code."""
        return self.value[0]

    @property
    def display(self) -> str:
        """Its words in the table."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is told of a message that was not simply accepted. ``text`` never holds a value of the message.

    ``place`` is (segment, its number among those of its name, field); the field 0 is the whole segment.
    """

    condition: Condition
    text: str
    place: tuple[str, int, int] | None = None
