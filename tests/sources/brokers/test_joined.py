"""Messages as chunks, and the way back from a line to its message."""

from __future__ import annotations

from datetime import UTC, datetime

from schemas.reasons import Reason
from sources.brokers.joined import Joined, Payload, join_messages, message_of, place_in_message
from sources.source import ReadLimits

SEEN = datetime(2026, 1, 1, tzinfo=UTC)


def joined(*messages: bytes, limits: ReadLimits | None = None) -> Joined:
    """Messages of one queue."""
    return join_messages([Payload(data, "rabbitmq:q", SEEN) for data in messages], limits or ReadLimits())


def places(made: Joined) -> list[tuple[int, int, int]]:
    """Message, line in it and place in it of each line."""
    assert made.lines is not None
    assert made.lines.offsets is not None
    return [
        (message_of(offset), made.line_in_message(message_of(offset), line), place_in_message(offset))
        for line, offset in enumerate(made.lines.offsets, 1)
    ]


def test_resources_are_lines_as_they_came() -> None:
    """Nothing of a message on one line is touched."""
    made = joined(b'{"a":1}', b'{"b": 2} ')
    assert made.lines is not None
    assert made.lines.data == b'{"a":1}\n{"b": 2} \n'
    assert places(made) == [(0, 1, 0), (1, 1, 0)]
    assert made.lines.seen_lines == (SEEN, SEEN)


def test_lines_of_ndjson_know_their_message() -> None:
    """Blank lines count, as they do in a file."""
    made = joined(b'{"a":1}', b'{"b":1}\n\n{"b":2}\n', b'\xef\xbb\xbf{"c":1}')
    assert made.lines is not None
    assert made.lines.data == b'{"a":1}\n{"b":1}\n\n{"b":2}\n{"c":1}\n'
    assert places(made) == [(0, 1, 0), (1, 1, 0), (1, 2, 8), (1, 3, 9), (2, 1, 0)]


def test_a_document_over_several_lines_becomes_one() -> None:
    """As a file with one resource does."""
    made = joined(b'{\r\n "a": 1\r\n}\n')
    assert made.lines is not None
    assert made.lines.data == b'{   "a": 1  }\n'


def test_messages_of_hl7v2_are_chunks() -> None:
    """Alone, one after another, and with bytes around them that are none."""
    made = joined(b'{"a":1}', b"MSH|^~\\&|A\rPID|1\r", b"MSH|^~\\&|B\rMSH|^~\\&|C\r", b"FHS|^~\\&\rrubbish\r")
    assert [(message_of(chunk.offset), len(chunk.lengths or ()), chunk.seen) for chunk in made.hl7] == [
        (1, 1, SEEN),
        (2, 2, SEEN),
    ]
    assert {message_of(record.offset) for record in made.records} == {3}
    assert Reason.NO_MESSAGE in {record.reason for record in made.records}
    assert {record.uri for record in made.records} | {chunk.uri for chunk in made.hl7} == {"rabbitmq:q"}


def test_nothing_is_nothing() -> None:
    """And no line of anything."""
    made = joined(b"", b" \r\n", b"\xef\xbb\xbf")
    assert made.lines is None
    assert made.blank == [0, 1, 2]


def test_a_line_that_is_too_long_is_a_record() -> None:
    """The others of its message are lines."""
    made = joined(b'{"a":1}\n{"long":"xxxxxxxxxxxxxxxxxxxx"}\n{"b":1}', limits=ReadLimits(line_bytes=20))
    assert [(record.reason, message_of(record.offset)) for record in made.records] == [(Reason.LINE_TOO_LONG, 0)]
    assert made.lines is not None
    assert made.lines.data == b'{"a":1}\n{"b":1}\n'
