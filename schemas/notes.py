"""What is worth knowing about an accepted row: the stable codes of ``etl.validation``."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Note(StrEnum):
    """A stable code of a note; ``meaning`` says it in words, without values.

    A code is never renamed and never used for a second meaning: users filter ``etl.validation`` by it.
    """

    meaning: str

    def __new__(cls, code: str, meaning: str) -> Self:
        """Make the member whose value is ``code``."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    # Times.
    LEAP_SECOND = "leap_second", "The second is 60; the instant, where there is one, is the first of the next minute."
    NEGATIVE_ZERO_OFFSET = (
        "negative_zero_offset",
        "The offset is -00:00, by which some senders say that it is not known; it is read as UTC.",
    )
    UTC_OUT_OF_RANGE = "utc_out_of_range", "In UTC the time lies outside the years 1 to 9999, so it has no instant."
    OFFSET_FROM_ZONE = "offset_from_zone", "The time was sent without an offset; it is that of the source's zone."
    NONEXISTENT_LOCAL_TIME = (
        "nonexistent_local_time",
        "Clocks of the source's zone were put forward over this time, so it has no instant.",
    )
    AMBIGUOUS_LOCAL_TIME = (
        "ambiguous_local_time",
        "Clocks of the source's zone showed this time twice; the instant is the earlier.",
    )
    NO_OFFSET_NO_ZONE = (
        "no_offset_no_zone",
        "The time was sent without an offset and no zone was given for the source, so it has no instant.",
    )

    # Character sets of HL7 v2 messages.
    CHARSET_MISMATCH = (
        "charset_mismatch",
        "The message holds bytes that are not of the character set that MSH-18 or --charset names; it is UTF-8.",
    )
    CHARSET_DOUBTFUL = (
        "charset_doubtful",
        "The message is UTF-8 throughout, and is read as the set of single bytes that MSH-18 or --charset names.",
    )

    # Documents.
    DOCUMENT_MENDED = (
        "document_mended",
        "It is a part of a C-CDA document, or one that does not declare its namespaces; it was read as if it did.",
    )

    # Versions.
    VERSION_CONFLICT = (
        "version_conflict",
        "Another version has the same versionId and lastUpdated and other content; the greater hash is current.",
    )


# What is so of whole feeds: told once with the number of rows, not for each of them.
COUNTED = frozenset({Note.OFFSET_FROM_ZONE, Note.NO_OFFSET_NO_ZONE})

_BY_CODE = {note.value: note for note in Note}


def note_of(code: str) -> Note:
    """The note with this code; KeyError when there is none."""
    return _BY_CODE[code]
