"""The character set of a message (HL7 v2.9 2.14.9.18, table 0211)."""

from __future__ import annotations

import codecs

from schemas.errors import UsageError

_FIELD = 18  # MSH-18
# Table 0211 to Python's codecs. Where a set has only the upper half of a page, ASCII is the lower one.
_CODECS = {
    "ASCII": "ascii",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UNICODE UTF-16": "utf-16",
    "UNICODE UTF-32": "utf-32",
    "GB 18030-2000": "gb18030",
    "BIG-5": "big5",
    "CNS 11643-1992": "euc_tw",
    "KS X 1001": "euc_kr",
    "ISO IR6": "ascii",
    "ISO IR14": "shift_jis",
    "ISO IR87": "iso2022_jp",
    "ISO IR159": "iso2022_jp_2",
} | {f"8859/{page}": f"iso8859-{page}" for page in (*range(1, 12), *range(13, 16))}


class UnknownCharsetError(Exception):
    """MSH-18 names a character set that is not known."""


class MismatchError(Exception):
    """The bytes are not of the character set that was named."""


def codec_named(name: str) -> str:
    """The codec that a user's name of a character set means: one of table 0211, or Python's. UsageError for another."""
    try:
        return _CODECS.get(name.strip().upper()) or codecs.lookup(name).name
    except LookupError:
        known = ", ".join(sorted(_CODECS))
        raise UsageError(f"--charset: no character set is called {name!r}; known are {known}") from None


def decoded(message: bytes, default: str | None = None) -> tuple[str, bool]:
    """The text of a message, and whether its bytes are of another set (UTF-8) than MSH-18 names.

    ``default`` is the codec of messages that name none; without it they are UTF-8. Of several sets the first counts
    (HL7 v2.9 2.14.9.18: the others are switched to by escape sequences). Raises :class:`UnknownCharsetError` and
    :class:`MismatchError`.
    """
    if message.isascii() and b"\x1b" not in message:
        return message.decode("ascii"), False
    named = _named(message)
    codec = _CODECS.get(named.upper()) if named else default or "utf-8"
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
