"""Segments, fields, repetitions and components are those that python-hl7 finds, in every message that it can read."""

from __future__ import annotations

import os
from pathlib import Path

import hl7
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Chunk, ChunkKind
from sources.hl7v2.framing import split_messages
from sources.source import ReadLimits
from transforms.decode.hl7v2.fields import component, repetitions
from transforms.decode.hl7v2.messages import messages_of
from transforms.decode.hl7v2.segments import Segments, segments_of
from transforms.decode.hl7v2.separators import Separators

SHARED = Path(os.environ.get("CLINMART_SHARED", "shared")) / "data" / "hl7v2"
TEXT = st.text(alphabet="aB1.", max_size=4)  # python-hl7 strips blanks from the end of a message


def taken_apart(payload: bytes) -> tuple[str, Segments] | None:
    """The text of one message as the loader reads it, and its segments; None where it refuses the message."""
    chunk = Chunk("f", 0, 1, payload, ChunkKind.HL7V2, (0,), lengths=(len(payload),))
    found = messages_of([chunk])
    if not found.texts:
        return None
    ((alike, (numbers, texts)),) = found.texts.items()
    return texts[0], segments_of(texts, numbers, alike.separators)


def cut(data: bytes) -> list[bytes]:
    """The messages of a file."""
    chunks = [item for item, _ in split_messages([data], "f", ReadLimits()) if isinstance(item, Chunk)]
    return [
        data[offset : offset + length]
        for chunk in chunks
        for offset, length in zip(chunk.offsets or (), chunk.lengths or (), strict=True)
    ]


def fields_of(segments: Segments) -> list[tuple[str, list[str]]]:
    """Each segment in order: its name and fields, without the empty ones at its end."""
    rows = []
    for name, frame in segments.by_name.items():
        columns = [column for column in frame.columns if column.startswith("f") and column[1:].isdigit()]
        for row in frame.select("ordinal", *columns).iter_rows():
            rows.append((row[0], name, trimmed([value or "" for value in row[1:]])))
    return [(name, fields) for _, name, fields in sorted(rows)]


def trimmed(fields: list[str]) -> list[str]:
    while fields and not fields[-1]:
        fields = fields[:-1]
    return fields


def reference(text: str) -> list[tuple[str, list[str]]]:
    """The same by python-hl7."""
    return [(str(segment[0]), trimmed([str(field) for field in segment[1:]])) for segment in hl7.parse(text)]


def test_shared_messages() -> None:
    """All of the collection that both read."""
    if not SHARED.is_dir():
        pytest.skip(f"SKIPPED LOUDLY: no messages in {SHARED}; set CLINMART_SHARED")
    compared = 0
    payloads = [(path, payload) for path in sorted(SHARED.rglob("*.hl7")) for payload in cut(path.read_bytes())]
    for path, payload in payloads:
        found = taken_apart(payload.strip())
        if found is None:
            continue
        text, segments = found
        lines = [line for line in text.split("\r") if line.strip()]
        if any(len(line.split(segments.separators.field)[0]) != 3 for line in lines):
            continue  # a line that continues the one before; python-hl7 takes it for a segment
        try:
            expected = reference("\r".join(lines))
        except (hl7.HL7Exception, ValueError, IndexError, AssertionError):
            continue
        assert fields_of(segments) == expected, path.name
        compared += 1
    assert compared > 150


@st.composite
def messages(draw: st.DrawFn) -> tuple[str, Separators]:
    """A message with delimiters of its own."""
    marks = draw(st.permutations("|^~\\&#!@$%*")) if draw(st.booleans()) else list("|^~\\&")
    sep = Separators(*marks[:5])
    head = f"MSH{sep.field}{sep.component}{sep.repetition}{sep.escape}{sep.subcomponent}{sep.field}A"
    lines = [head]
    for name in draw(st.lists(st.sampled_from(["PID", "OBX", "ZZ1", "NTE"]), max_size=4)):
        fields = draw(
            st.lists(
                st.lists(st.lists(TEXT, min_size=1, max_size=3).map(sep.component.join), min_size=1, max_size=3).map(
                    sep.repetition.join
                ),
                max_size=4,
            )
        )
        lines.append(sep.field.join([name, *fields]))
    return "\r".join(lines) + "\r", sep


@given(messages())
def test_any_message(made: tuple[str, Separators]) -> None:
    """Whatever its delimiters: segments and fields, and in each field the repetitions and components."""
    text, sep = made
    found = taken_apart(text.encode())
    assert found is not None
    segments = found[1]
    parsed = hl7.parse(text)
    assert fields_of(segments) == reference(text)
    for segment in parsed[1:]:
        name = str(segment[0])
        frame = segments.by_name[name]
        places = [other for other in parsed if str(other[0]) == name]
        row = next(i for i, other in enumerate(places) if other is segment)
        for number in range(1, len(segment)):
            field = pl.col(f"f{number}")
            if f"f{number}" not in frame.columns:
                assert str(segment[number]) == ""
                continue
            (parts,) = frame[row : row + 1].select(repetitions(field, sep)).to_series().to_list()
            expected = [str(repetition) for repetition in segment[number]]
            assert [part or "" for part in parts or [""]] == expected
            for at, repetition in enumerate(expected):
                for place, wanted in enumerate(repetition.split(sep.component), 1):
                    one = pl.DataFrame({"r": [parts[at] if parts else None]}, schema={"r": pl.String})
                    (value,) = one.select(component(pl.col("r"), sep, place)).to_series().to_list()
                    assert (value or "") == wanted
