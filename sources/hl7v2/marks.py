"""Where messages, frames and batches begin and end in bytes, found without reading what is between."""

from __future__ import annotations

from collections.abc import Iterator

START_BLOCK, END_BLOCK = b"\x0b", b"\x1c"  # of a frame (MLLP: HL7 v2.9 transport, appendix C)
MESSAGE = b"MSH"
BATCH_HEADER, BATCH_TRAILER, FILE_HEADER, FILE_TRAILER = b"BHS", b"BTS", b"FHS", b"FTS"
NAME_LENGTH = 3
LOOK_BACK = 16  # bytes before a name that may be blanks at the beginning of its line
_NAMES = (MESSAGE, BATCH_HEADER, BATCH_TRAILER, FILE_HEADER, FILE_TRAILER)
_BREAKS = (b"\r", b"\n", START_BLOCK, END_BLOCK)
_BREAK_BYTES = b"".join(_BREAKS)
_BLANK = b" \t\0\x0c\x1a\xef\xbb\xbf"  # white space, padding, byte order marks

Mark = tuple[int, bytes]  # its place, and the name of the segment or the byte of the frame


def marks_of(data: bytes) -> list[Mark]:
    """All marks in order. The name of a segment counts where a line begins and a delimiter follows it, and at the end
    of ``data``, where what follows is not known.
    """
    found = [mark for name in _NAMES for mark in _segments(data, name)]
    for byte in (START_BLOCK, END_BLOCK):
        found += _all(data, byte)
    found.sort()
    return found


def is_blank(data: bytes) -> bool:
    """True when nothing but white space, padding and byte order marks is in it."""
    return not data.strip(_BLANK + b"\r\n")


def without_breaks(data: bytes) -> bytes:
    """``data`` without the line breaks, blank lines and padding at its end, and the byte order mark of what follows."""
    data = data.removesuffix(b"\xef\xbb\xbf").rstrip(b"\r\n\0\x1a")
    if data[-1:] not in b" \t":
        return data
    filled = data.rstrip(b" \t\r\n\0\x1a")
    return filled + first_line(data[len(filled) :])


def first_line(data: bytes) -> bytes:
    """The bytes up to the first carriage return or line feed."""
    ends = [at for at in (data.find(b"\r"), data.find(b"\n")) if at >= 0]
    return data[: min(ends)] if ends else data


def count_lines(data: bytes) -> int:
    """How many lines end in ``data``: by a carriage return, a line feed, or both in this order."""
    returns = data.count(b"\r")
    return returns + data.count(b"\n") - (data.count(b"\r\n") if returns else 0)


def _segments(data: bytes, name: bytes) -> Iterator[Mark]:
    for mark in _all(data, name):
        at = mark[0]
        if at and data[at - 1] not in _BREAK_BYTES and not _begins_line(data, at):
            continue
        after = data[at + NAME_LENGTH : at + NAME_LENGTH + 1]
        if not after.isalnum() and after != b" ":
            yield mark


def _begins_line(data: bytes, at: int) -> bool:
    """True when only blanks stand before ``at`` on its line; few of them are looked at."""
    before = data[max(at - LOOK_BACK, 0) : at].rstrip(_BLANK)
    return before.endswith(_BREAKS) or (not before and at < LOOK_BACK)


def _all(data: bytes, what: bytes) -> Iterator[Mark]:
    at = data.find(what)
    while at >= 0:
        yield at, what
        at = data.find(what, at + len(what))
