"""One XML document of a file: whole, bounded, and told from other files by its first bytes."""

from __future__ import annotations

import hashlib

import pytest

from schemas.formats import Format
from schemas.reasons import Reason
from schemas.records import Chunk, ChunkKind, OversizedLine
from sources.content import format_of_name, is_xml
from sources.source import ReadLimits
from sources.xml_document import document_pieces


@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_document_is_one_chunk(size: int) -> None:
    """However its blocks are cut."""
    data = b"<a>\n<b/>\n</a>"
    blocks = [data[at : at + size] for at in range(0, len(data), size)]
    ((chunk, lines),) = document_pieces(blocks, "f", ReadLimits(), offset=3)
    assert isinstance(chunk, Chunk)
    assert (chunk.data, chunk.kind, chunk.offset, chunk.line, chunk.lengths, lines) == (
        (data, ChunkKind.CCDA, 3, 1, (len(data),), 3)
    )


def test_blank_content() -> None:
    """There is nothing in it."""
    assert list(document_pieces([b" \n", b"\t"], "f", ReadLimits())) == []


def test_a_long_document() -> None:
    """Its beginning, length and hash are kept, and no more of it is held."""
    blocks = [b"<" + b"a" * 99, *[b"b" * 100] * 3]
    ((piece, _),) = document_pieces(blocks, "f", ReadLimits(document_bytes=250))
    assert isinstance(piece, OversizedLine)
    whole = b"".join(blocks)
    assert (piece.length, piece.sha256) == (len(whole), hashlib.sha256(whole).digest())
    assert piece.reason is Reason.DOCUMENT_TOO_LONG
    assert whole.startswith(piece.head)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"<a/>", True),
        (b" \r\n<?xml", True),
        ("<a/>".encode("utf-16"), True),
        ("<a/>".encode("utf-16-be"), True),
        (b'{"resourceType":"Patient"}', False),
        (b"MSH|^~\\&|", False),
        (b"", False),
    ],
)
def test_first_bytes(data: bytes, expected: bool) -> None:
    """Also in UTF-16."""
    assert is_xml([data]) is expected


def test_names() -> None:
    """Packed or not."""
    names = {"a.xml": "ccda", "a.CDA.gz": "ccda", "a.ccda.zst": "ccda", "a.hl7": "hl7v2", "a.ndjson.gz": "fhir"}
    assert {name: format_of_name(name) for name in names} == {name: Format(told) for name, told in names.items()}
