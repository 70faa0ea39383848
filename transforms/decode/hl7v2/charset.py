"""The character set of a message (HL7 v2.9 2.14.9.18, table 0211)."""

from __future__ import annotations

from schemas.charsets import CODECS

_FIELD = 18  # MSH-18


class UnknownCharsetError(Exception):
    """MSH-18 names a character set that is not known."""


class MismatchError(Exception):
    """The bytes are not of the character set that was named."""


def decoded(message: bytes, default: str | None = None) -> tuple[str, bool]:
    """The text of a message, and whether its bytes are of another set (UTF-8) than MSH-18 names.

    ``default`` is the codec of messages that name none; without it they are UTF-8. Of several sets the first counts
    (HL7 v2.9 2.14.9.18: the others are switched to by escape sequences). Raises :class:`UnknownCharsetError` and
    :class:`MismatchError`.
    """
    if message.isascii() and b"\x1b" not in message:
        return message.decode("ascii"), False
    named = _named(message)
    codec = CODECS.get(named.upper()) if named else default or "utf-8"
    if codec is None:
        if default is None:
            raise UnknownCharsetError
        codec = default
    try:
        return message.decode(codec), False
    except UnicodeError:
        pass
    try:
        return message.decode("utf-8"), True
    except UnicodeError:
        raise MismatchError from None


def _named(message: bytes) -> str:
    """The first repetition of MSH-18."""
    header = message.replace(b"\n", b"\r").split(b"\r", 1)[0]
    fields = header.split(header[3:4] or b"|")
    if len(fields) < _FIELD:
        return ""
    repetition = header[5:6] or b"~"
    return fields[_FIELD - 1].split(repetition)[0].strip().decode("ascii", "replace")
