"""Messages of chunks: where they stand, what their headers say, and which are taken apart together."""

from __future__ import annotations

import pytest

from schemas.records import Chunk, ChunkKind
from transforms.decode.hl7v2.messages import Messages, messages_of

HEAD = b"|LAB|H|C|H|20240101||ORU^R01|1|P|2.5"


def chunk_of(*messages: bytes, between: bytes = b"\r\n\n", uri: str = "f", offset: int = 100, line: int = 7) -> Chunk:
    """Messages one after another."""
    starts, data = [], b""
    for message in messages:
        starts.append(offset + len(data))
        data += message + between
    return Chunk(uri, offset, line, data, ChunkKind.HL7V2, tuple(starts), lengths=tuple(map(len, messages)))


def texts(found: Messages) -> dict[int, str]:
    """All texts by the number of their message."""
    return {n: text for numbers, some in found.texts.values() for n, text in zip(numbers, some, strict=True)}


@pytest.mark.parametrize("more", [b"", "\rPID|||ä".encode(), b"\rNTE|||\\C2D42\\x"])
def test_none_is_lost(more: bytes) -> None:
    """Each is in one batch or refused, by itself, also where one separator is written in two ways, and where a
    neighbour is not plain.
    """
    first = [b"MSH|^~\\&" + HEAD, b"MSH|^~\\\\&" + HEAD, b"MSH#^~\\&#A#B#C#D#2024##ADT^A01#2", b"MSH|", b"MSH|^^^^|x"]
    second = [b"MSH|^~\\&" + HEAD + more, b"MSH|^~\\&|only", b"MSH|^~\\&" + HEAD + b"\nPID|1\r\nPV1|2"]
    found = messages_of([chunk_of(*first), chunk_of(*second, offset=900, line=50)])
    assert sorted([*texts(found), *found.refused]) == list(range(8))
    assert list(found.refused) == [3, 4]
    assert len(found.texts) == 2
    assert found.chunk.to_list() == [0] * 5 + [1] * 3
    assert found.types.to_list() == ["ORU_R01"] * 2 + ["ADT_A01"] + ["Unknown"] * 2 + ["ORU_R01", "Unknown", "ORU_R01"]
    assert texts(found)[7] == (b"MSH|^~\\&" + HEAD).decode() + "\rPID|1\rPV1|2"
    assert [found.message(n).payload for n in range(8)] == [*first, *second]


def test_places() -> None:
    """Offset and line of each in its file; a carriage return and a line feed end one line."""
    message = b"MSH|^~\\&" + HEAD + b"\r\nPID|1\rPV1|1\nZ|1"
    found = messages_of([chunk_of(message, message, message)])
    places = [(m.offset, m.line) for m in map(found.message, range(3))]
    step = len(message) + 3
    assert places == [(100, 7), (100 + step, 12), (100 + 2 * step, 17)]
