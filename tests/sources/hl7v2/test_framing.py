"""Bytes into HL7 v2 messages: frames, batches, line ends, rubbish; however the bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Chunk, OversizedLine
from sources.hl7v2.framing import split_messages
from sources.source import ReadLimits

A, B = b"MSH|^~\\&|A\rPID|1||a", b"MSH|^~\\&|B\rPID|1||b"


def read(*blocks: bytes, limits: ReadLimits | None = None) -> tuple[list[bytes], list[tuple[str, bytes]], int]:
    """The messages, what is refused with its reason, and how many lines there were. Places are checked."""
    whole = b"".join(blocks)
    messages, refused, lines = [], [], 0
    for item, count in split_messages(blocks, "f", limits or ReadLimits()):
        lines += count
        if isinstance(item, OversizedLine):
            assert whole[item.offset : item.offset + len(item.head)] == item.head
            refused.append((str(item.reason), item.head))
            continue
        assert isinstance(item, Chunk)
        assert whole[item.offset : item.offset + len(item.data)] == item.data
        for offset, length in zip(item.offsets or (), item.lengths or (), strict=True):
            messages.append(whole[offset : offset + length])
    return messages, refused, lines


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
@pytest.mark.parametrize("begin", [b"", b"\xef\xbb\xbf", b"\r\n\r\n", b" \t"])
def test_messages_one_after_another(begin: bytes, end: bytes) -> None:
    """With any line end, after a byte order mark and blank lines, with and without one at the end."""
    one, two = (m.replace(b"\r", end) for m in (A, B))
    for last in (b"", end, end * 3):
        messages, refused, _ = read(begin + one + end + two + last)
        assert ([m.rstrip() for m in messages], refused) == ([one, two], [])


def test_frames() -> None:
    """Frames of MLLP in a file; one that is not closed is refused, not joined to the next."""
    messages, refused, _ = read(b"\x0b" + A + b"\r\x1c\r\x0b" + B + b"\r\x1c\r")
    assert ([m.rstrip() for m in messages], refused) == ([A, B], [])
    messages, refused, _ = read(b"\x0b" + A + b"\r\x0b" + B + b"\r\x1c\r")
    assert [m.rstrip() for m in messages] == [B]
    assert [reason for reason, _ in refused] == ["message_cut"]


@pytest.mark.parametrize(
    ("trailer", "reasons"),
    [
        (b"BTS|2\rFTS|1\r", []),
        (b"BTS|3\rFTS|1\r", ["batch_count"]),
        (b"BTS|2\rFTS|2\r", ["batch_count"]),
        (b"BTS\rFTS\r", []),
        (b"", ["batch_not_closed", "batch_not_closed"]),
    ],
)
def test_batches(trailer: bytes, reasons: list[str]) -> None:
    """The messages of a batch are read whatever its trailer says; a wrong count is told."""
    messages, refused, _ = read(b"FHS|^~\\&\rBHS|^~\\&\r" + A + b"\r" + B + b"\r" + trailer)
    assert [m.rstrip() for m in messages] == [A, B]
    assert [reason for reason, _ in refused] == reasons


def test_rubbish_is_refused_with_its_bytes() -> None:
    """Before the first message, and in a file without any."""
    messages, refused, _ = read(b"rubbish\r" + A)
    assert ([m.rstrip() for m in messages], refused) == ([A], [("no_message", b"rubbish")])
    assert read(b'{"a": 1}')[:2] == ([], [("no_message", b'{"a": 1}')])


def test_long_message() -> None:
    """One above the limit refuses itself alone, and memory is bounded by the limit."""
    limits = ReadLimits(chunk_bytes=200, line_bytes=1000)
    blocks = [A + b"\r", B + b"|", *[b"x" * 100] * 50, b"\r", A + b"\r"]
    messages, refused, _ = read(*blocks, limits=limits)
    assert [m.rstrip() for m in messages] == [A, A]
    assert [reason for reason, _ in refused] == ["line_too_long"]


PIECES = st.sampled_from(
    [A, B, b"\r", b"\n", b"\x0b", b"\x1c", b"\x1c\r", b"BHS|^~\\&", b"BTS|1", b"rubbish", b"MSH", b" ", b"\xef\xbb\xbf"]
)


@given(st.lists(PIECES, max_size=12), st.data())
def test_any_cut_reads_the_same(pieces: list[bytes], data: st.DataObject) -> None:
    """How the bytes come in blocks changes neither messages nor what is refused, nor the number of lines."""
    whole = b"".join(pieces)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)), max_size=6)))
    blocks = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    limits = ReadLimits(chunk_bytes=data.draw(st.sampled_from([1, 16, 1000])), line_bytes=1000)
    assert together(read(*blocks, limits=limits)) == together(read(whole))


def together(found: tuple[list[bytes], list[tuple[str, bytes]], int]) -> tuple[list[bytes], list[tuple[str, bytes]]]:
    """Messages and refusals; pieces of the same rubbish may come apart."""
    messages, refused, _ = found
    return messages, refused


def test_every_byte_has_one_place() -> None:
    """Messages do not overlap, and stand in the order of the file."""
    data = b"\x0b" + A + b"\r\x1c\rjunk\r" + B + b"\r\x0b" + A + b"\r\x1c\r"
    at = 0
    for item, _ in split_messages([data], "f", ReadLimits()):
        if isinstance(item, Chunk):
            for offset, length in zip(item.offsets or (), item.lengths or (), strict=True):
                assert offset >= at
                at = offset + length
