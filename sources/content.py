"""What a file holds: lines or one document. Its name decides where it can, else its first bytes do."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from schemas.formats import Format
from sources.compressed import Codec
from sources.hl7v2.marks import BATCH_HEADER, FILE_HEADER, MESSAGE, START_BLOCK
from sources.skeleton import BLANK
from sources.source import ReadLimits
from sources.structure import is_balanced

LINE_SUFFIXES = (".ndjson", ".jsonl")
MESSAGE_SUFFIXES = (".hl7", ".hl7v2")
XML_SUFFIXES = (".xml", ".cda", ".ccda")
DATA_SUFFIXES = (*LINE_SUFFIXES, ".json", *MESSAGE_SUFFIXES, *XML_SUFFIXES)
TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")
_WIDE = (b"<\0", b"\xff\xfe<\0", b"\0<", b"\xfe\xff\0<")  # an angle bracket of UTF-16, with its mark or without
_CODEC_SUFFIXES = {Codec.GZIP: ".gz", Codec.ZSTD: ".zst"}


class Content(StrEnum):
    """``LINES``: one JSON value per line. ``DOCUMENT``: one JSON value, over any number of lines.
    ``MESSAGES``: HL7 v2.
    """

    LINES = "lines"
    DOCUMENT = "document"
    MESSAGES = "messages"


def is_data_name(name: str) -> bool:
    """True for the names that a folder is searched for: ``.ndjson``, ``.jsonl``, ``.json``, ``.hl7``, ``.hl7v2``,
    ``.xml``, ``.cda``, ``.ccda``, also with ``.gz``, ``.zst``."""
    return _without_codec(name).endswith(DATA_SUFFIXES)


def is_table_name(name: str) -> bool:
    """True for the names of tables, whose columns only a mapping can explain: ``.csv``, ``.tsv``, ``.parquet``."""
    return _without_codec(name).endswith(TABLE_SUFFIXES)


def is_messages(name: str, blocks: Iterable[bytes]) -> bool:
    """True for HL7 v2: by its name, else when a message, a batch or a frame begins where the content does."""
    if format_of_name(name) is Format.HL7V2:
        return True
    begins = next((text for block in blocks if (text := block.lstrip(BLANK))), b"")
    return begins.startswith((START_BLOCK, *(mark + b"|" for mark in (MESSAGE, FILE_HEADER, BATCH_HEADER))))


def format_of_name(name: str) -> Format:
    """What a file holds by its name."""
    plain = _without_codec(name)
    if plain.endswith(MESSAGE_SUFFIXES):
        return Format.HL7V2
    return Format.CCDA if plain.endswith(XML_SUFFIXES) else Format.FHIR


def is_xml(blocks: Iterable[bytes]) -> bool:
    """True for content that begins with an angle bracket, in UTF-8 or UTF-16; nothing else that is read does."""
    begins = next((text for block in blocks if (text := block.lstrip(BLANK))), b"")
    return begins.startswith((b"<", *_WIDE))


def content_of(name: str, blocks: Iterable[bytes], limits: ReadLimits) -> Content:
    """Lines when the name says so, or when the first non-blank line is a JSON value and another follows.

    ``blocks`` is the (unpacked) content without a byte order mark; no more of it is read than needed, and
    no more than ``limits.line_bytes`` of it is held. A file of blanks only is lines: there is nothing in it
    to split.
    """
    if _without_codec(name).endswith(LINE_SUFFIXES):
        return Content.LINES
    first: list[bytes] = []  # the first non-blank line, as far as it is known
    held = 0
    known = False
    for block in blocks:
        rest = block if held else block.lstrip(BLANK)
        if not known:
            line, feed, rest = rest.partition(b"\n")
            first.append(line)
            held += len(line)
            if not feed and held <= limits.line_bytes:
                continue
            if not _is_value(b"".join(first).rstrip(BLANK)):
                return Content.DOCUMENT
            known = True
        if rest.strip(BLANK):
            return Content.LINES
    return Content.DOCUMENT if held else Content.LINES


def _is_value(line: bytes) -> bool:
    """True for a line whose brackets are level, even if it is faulty in between, and for a scalar."""
    if is_balanced(line):
        return True
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True


def _without_codec(name: str) -> str:
    lower = name.lower()
    for suffix in _CODEC_SUFFIXES.values():
        lower = lower.removesuffix(suffix)
    return lower
