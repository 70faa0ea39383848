"""The character set of a message (HL7 v2.9 2.14.9.18, table 0211)."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.charsets import CODECS
from schemas.notes import Note
from transforms.decode.hl7v2.switches import ESCAPE, MARK_AT, SWITCHES, has_switches, switched

_FIELD = 18  # MSH-18
_WIDE = ("utf-16", "utf-32")  # a message whose MSH is found byte by byte is not of these
_SWITCHING = {"iso2022_jp": "ascii", "iso2022_jp_2": "ascii"}  # what they begin with
_SINGLE = ("ascii", "iso8859", "utf-8")  # sets from which others are switched to


class UnknownCharsetError(Exception):
    """MSH-18 names a character set that is not known."""


class MismatchError(Exception):
    """The bytes are not of the character set that was named."""


def is_plain(data: bytes, starts: Sequence[int]) -> bool:
    """True when all messages that begin at ``starts`` are ASCII in which nothing may switch the character set."""
    if not data.isascii() or ESCAPE in data:
        return False
    marks = {data[start + MARK_AT : start + MARK_AT + 1] for start in starts}
    return not any(mark and mark + switch in data for mark in marks for switch in SWITCHES)


def decoded(message: bytes, default: str | None = None) -> tuple[str, Note | None]:
    """The text of a message, and what is to be noted of it.

    ``default`` is the codec of messages that name none; without it they are UTF-8. Bytes that are not of the named set
    are read as UTF-8 if they are. A set of single bytes takes any bytes, so nothing but a note tells where they are
    UTF-8 throughout, which text of such a set hardly ever is. Of several sets the first counts (HL7 v2.9 2.14.9.18:
    the others are switched to by escape sequences, :mod:`transforms.decode.hl7v2.switches`).

    Raises :class:`UnknownCharsetError` and :class:`MismatchError`.
    """
    switches = has_switches(message)
    if message.isascii() and not switches:
        return message.decode("ascii"), None
    named = _named(message)
    codec = CODECS.get(named.upper()) if named else default or "utf-8"
    if codec is None:
        if default is None:
            raise UnknownCharsetError
        codec = default
    if switches and (_SWITCHING.get(codec) or codec).startswith(_SINGLE):
        try:
            return switched(message, _SWITCHING.get(codec) or codec), None
        except UnicodeError:
            raise MismatchError from None
    try:
        utf8 = message.decode("utf-8")
    except UnicodeError:
        utf8 = None
    try:
        if codec not in _WIDE:
            text = utf8 if codec == "utf-8" and utf8 is not None else message.decode(codec)
            doubtful = codec.startswith("iso8859") and utf8 is not None
            return text, Note.CHARSET_DOUBTFUL if doubtful else None
    except UnicodeError:
        pass
    if utf8 is None:
        raise MismatchError
    return utf8, Note.CHARSET_MISMATCH


def _named(message: bytes) -> str:
    """The first repetition of MSH-18."""
    header = message.replace(b"\n", b"\r").split(b"\r", 1)[0]
    fields = header.split(header[3:4] or b"|")
    if len(fields) < _FIELD:
        return ""
    repetition = header[5:6] or b"~"
    return fields[_FIELD - 1].split(repetition)[0].strip().decode("ascii", "replace")
