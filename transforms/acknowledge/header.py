"""The header of a message, as far as an answer needs it (HL7 v2.9 2.14.9, MSH)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

HEADER_BYTES = 4096  # an MSH segment is far shorter, and what is longer is none
_BOM = b"\xef\xbb\xbf"
_SHORTEST = len(r"MSH|^~\&")
_MOST_ENCODING_CHARACTERS = 5  # since v2.7 the last is the truncation character
_VERSION = re.compile(r"2\.(\d+)")
_SECOND_HEADER = re.compile(rb"[\r\n]MSH")
_ESC = b"\x1b"  # begins the escape sequences of ISO 2022
_ACKNOWLEDGMENTS = frozenset({"ACK", "MCF"})


@dataclass(frozen=True)
class Header:
    """An MSH segment. ``fields[n - 1]`` is MSH-n as sent, with its escapes, decoded by ``codec``."""

    fields: tuple[str, ...]
    codec: str  # Python's name

    def field(self, number: int) -> str:
        """MSH-``number`` as sent; empty when it is absent."""
        return self.fields[number - 1] if number <= len(self.fields) else ""

    def component(self, field: int, number: int) -> str:
        """A component of the first repetition of a field, as sent; empty when it is absent."""
        encoding = self.fields[1]
        first = self.field(field).split(encoding[1])[0] if len(encoding) > 1 else self.field(field)
        components = first.split(encoding[0])
        return components[number - 1] if number <= len(components) else ""

    @cached_property
    def sender(self) -> tuple[str, str]:
        """Sending application and facility (MSH-3, MSH-4)."""
        return self.field(3), self.field(4)

    @property
    def control_id(self) -> str:
        """MSH-10."""
        return self.field(10)

    @property
    def is_acknowledgment(self) -> bool:
        """True for answers, which are never answered (HL7 v2.9 2.9.2)."""
        return self.component(9, 1) in _ACKNOWLEDGMENTS

    @property
    def minor_version(self) -> int | None:
        """The 5 of v2.5.1; None when MSH-12 tells none."""
        found = _VERSION.match(self.field(12))
        return int(found[1]) if found else None


def read_header(data: bytes) -> Header | None:
    """The header of a message; None when the data does not begin with an MSH segment that tells its delimiters."""
    start = data[:HEADER_BYTES].removeprefix(_BOM).lstrip(b"\r\n")
    segment = re.split(rb"[\r\n]", start, maxsplit=1)[0]
    if not segment.startswith(b"MSH") or len(segment) < _SHORTEST:
        return None
    codec = codec_of(segment)
    text = segment.decode(codec)
    field = text[3]
    encoding = text[4:].split(field, 1)[0]
    marks = field + encoding
    if not 1 <= len(encoding) <= _MOST_ENCODING_CHARACTERS or len(set(marks)) < len(marks) or not _are_marks(marks):
        return None
    return Header((field, encoding, *text[4:].split(field)[1:]), codec)


def holds_second_header(data: bytes) -> bool:
    """True when another MSH segment follows the first: two messages in one frame, which one answer cannot serve."""
    return _SECOND_HEADER.search(data.lstrip(b"\r\n")) is not None


def _are_marks(marks: str) -> bool:
    return all(c.isascii() and c.isprintable() and not c.isalnum() for c in marks)


def codec_of(segment: bytes) -> str:
    """A codec in which the segment comes back as it was, and in which no delimiter is half a character.

    The second byte of a character may be a delimiter's in GB 18030 and in the shifted sets of ISO 2022, so MSH-18
    cannot be found by splitting bytes. The single-byte sets may all pass as Latin-1.
    """
    if segment.isascii() and _ESC not in segment:
        return "ascii"
    tried = ["iso2022_jp_2"] if _ESC in segment else ["gb18030"] if b"18030" in segment else []
    for codec in (*tried, "utf-8"):
        try:
            if segment.decode(codec).encode(codec) == segment:
                return codec
        except UnicodeError:
            continue
    return "latin-1"
