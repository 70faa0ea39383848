"""Finds the line that a row was made of: the one whose bytes have the row's SHA-256.

The mart keeps of a row its load and the hash of its bytes, and of a load its files. So the line need not be stored with
the row: a line with that hash in a file of that load is it, and no other can be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from flows.settings import object_access
from schemas.errors import ClinmartError
from schemas.records import Chunk, ChunkKind, Partition
from sources.files import FileSource
from sources.objects.address import is_object
from transforms.decode.unwrap import resources_of

_OPENED = (ChunkKind.RESOURCE, ChunkKind.ENTRY)  # whose rows have the hash of bytes that stand in the file


@dataclass(frozen=True, slots=True)
class Received:
    """A piece of a file that a load took in: its first byte, its bytes on disk, its lines, and the load."""

    uri: str
    start: int
    size: int
    lines: int
    load_id: str


@dataclass(frozen=True, slots=True)
class Found:
    """A line whose bytes have the hash: its number (of an entry in a Bundle), and its offset in the file's bytes."""

    uri: str
    line: int
    offset: int


def received(
    connection: duckdb.DuckDBPyConnection, kind: str | None, source: str, load_id: str | None = None
) -> list[Received]:
    """The pieces of files with resources of a type that a source sent, all or those of one load; by file."""
    rows = connection.execute(
        "SELECT uri, range_start, size, lines, load_id FROM etl.receipt WHERE source = $source "
        "AND ($load IS NULL OR load_id = $load) "
        "AND ($kind IS NULL OR list_contains(list_transform(resources, lambda r: r.resource_type), $kind)) "
        "ORDER BY ALL",
        {"source": source, "load": load_id, "kind": kind},
    ).fetchall()
    return [Received(*row) for row in rows]


def find_lines(pieces: Sequence[Received], ident: str, content_hash: bytes) -> Iterator[Found]:
    """The lines of these pieces that have the hash, as far as their files are still there and can be read."""
    for piece in pieces:
        if is_object(piece.uri) or Path(piece.uri).is_file():
            try:
                yield from asyncio.run(_in(piece, ident.encode(), content_hash))
            except ClinmartError:  # a file that changed or was damaged since proves nothing
                continue


async def _in(piece: Received, ident: bytes, content_hash: bytes) -> list[Found]:
    source = FileSource([piece.uri], objects=object_access)
    partitions = [p for p in source.partitions() if p.start == piece.start]
    found: list[Found] = []
    for partition in partitions or [Partition(piece.uri, size=piece.size)]:
        reading = source.read(partition)
        try:
            async for item in reading:
                if isinstance(item, Chunk) and item.kind in _OPENED and ident in item.data:
                    found += _of(item, content_hash)
        finally:
            await reading.aclose()
    return found


def _of(chunk: Chunk, content_hash: bytes) -> Iterator[Found]:
    frame = resources_of(chunk).lines.frame
    for line, offset, own in frame.select("line", "offset", "content_hash").iter_rows():
        if own == content_hash:
            yield Found(chunk.uri, line, offset)
