"""The first records of an extract, for drafts and checks of mappings."""

from __future__ import annotations

import asyncio
import codecs
from pathlib import Path

import polars as pl

from schemas.errors import IntegrityError, UsageError
from schemas.formats import Format
from schemas.mapping import Column, Dialect, Entry, Expression, Mapping
from schemas.records import Chunk, OversizedLine
from sources.compressed import codec_of, inflate
from sources.extracts import header_of, is_parquet
from sources.files import FileSource
from sources.source import ReadLimits
from sources.stored import local_file, storage_errors
from transforms.decode.extract.fields import FieldReader

_SAMPLE = 1024 * 1024  # bytes: some ten thousand rows
_DELIMITERS = ",\t;|"
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def first_chunk(path: Path, mapping: Mapping, size: int = _SAMPLE) -> Chunk | None:
    """About the first ``size`` bytes of a file as one chunk; None for a file without records.

    Raises UsageError when the mapping does not fit the file, and the errors of a source.
    """
    limits = ReadLimits(chunk_bytes=size)
    source = FileSource([path], limits, given=Format.EXTRACT, mapping=mapping)
    (partition,) = source.partitions()

    async def first() -> Chunk | OversizedLine | None:
        reading = source.read(partition)
        try:
            async for item in reading:
                return item
            return None
        finally:
            await reading.aclose()

    found = asyncio.run(first())
    if isinstance(found, OversizedLine):
        raise IntegrityError(
            f"{path}: line {found.line} has {found.length:,} bytes: is this a file of lines? See delimiter and quote"
        )
    return found


def sample_of(path: Path, rows: int) -> tuple[Dialect, pl.DataFrame]:
    """How a file is written, by its first bytes, and its first rows: a String column for each column of the file.

    Raises UsageError for what is no file of rows with a header.
    """
    dialect = sniffed(path)
    names = header_of(local_file(str(path)), dialect, ReadLimits())
    if len(names) < 2:
        raise UsageError(f"{path}: its first line names only one column: is this a file of separated values?")
    twice = sorted({name for name in names if names.count(name) > 1 or not name})
    if twice:
        said = ", ".join(repr(name) for name in twice)
        raise UsageError(f"{path}: its header names {said} more than once or not at all: name each column, then draft")
    anything = Entry("*", "observation", (("identifier_value", Expression(Column(names[0]))),), dialect, (names[0],))
    chunk = first_chunk(path, Mapping((anything,), uri="the draft"))
    if chunk is None:
        return dialect, pl.DataFrame(schema=dict.fromkeys(names, pl.String))
    fields = FieldReader().read(chunk, names)
    return dialect, fields.frame.head(rows)


def sniffed(path: Path) -> Dialect:
    """The delimiter and character set of a file by its first bytes."""
    with storage_errors(str(path)), path.open("rb") as file:
        data = file.read(_SAMPLE)
    if is_parquet(data):
        return Dialect()
    codec = codec_of(data[:4], str(path))
    if codec is not None:
        data = _inflated(path)
    encoding = _encoding(data)
    text = data.decode(encoding, "ignore")
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(_DELIMITERS, key=lambda mark: _outside(first, mark))
    return Dialect(delimiter if _outside(first, delimiter) else ",", '"', encoding)


def _inflated(path: Path) -> bytes:
    data = b""
    with storage_errors(str(path)), path.open("rb") as file:
        codec = codec_of(file.read(4), str(path))
        assert codec is not None
        file.seek(0)
        for block in inflate(iter(lambda: file.read(_SAMPLE), b""), codec, str(path), ReadLimits()):
            data += block
            if len(data) >= _SAMPLE:
                break
    return data[:_SAMPLE]


def _encoding(data: bytes) -> str:
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)  # a character may be cut at the end of the sample
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _outside(line: str, mark: str) -> int:
    """How often a mark stands outside of quotes."""
    return sum(part.count(mark) for part in line.split('"')[::2])
