"""The names of character sets (HL7 v2.9 table 0211), and the error for one that is none."""

from __future__ import annotations

import codecs
from contextlib import suppress

from schemas.errors import UsageError

# Table 0211 to Python's codecs. Where a set has only the upper half of a page, ASCII is the lower one. Python has none
# for CNS 11643-1992.
CODECS = {
    "ASCII": "ascii",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UNICODE UTF-16": "utf-16",
    "UNICODE UTF-32": "utf-32",
    "GB 18030-2000": "gb18030",
    "BIG-5": "big5",
    "KS X 1001": "euc_kr",
    "ISO IR6": "ascii",
    "ISO IR14": "shift_jis",
    "ISO IR87": "iso2022_jp",
    "ISO IR159": "iso2022_jp_2",
} | {f"8859/{page}": f"iso8859-{page}" for page in (*range(1, 12), *range(13, 16))}


def codec_named(name: str) -> str:
    """The codec that a user's name of a character set means: one of table 0211, or Python's. UsageError for another."""
    try:
        codec = CODECS.get(name.strip().upper()) or codecs.lookup(name).name
        with suppress(UnicodeError):
            b"a".decode(codec)  # LookupError for codecs that are of no text
    except LookupError:
        known = ", ".join(sorted(CODECS))
        raise UsageError(f"no character set is called {name!r}; known are {known}") from None
    return codec
