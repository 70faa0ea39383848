"""One blocking pass over one partition of a stored file."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import BinaryIO

from schemas.errors import IntegrityError
from schemas.formats import Format
from schemas.mapping.dialect import Dialect
from schemas.records import Chunk, ChunkKind, Partition
from sources.bundles import bundle_pieces, survey
from sources.compressed import Codec, codec_of, inflate
from sources.content import Content, content_of, is_messages, is_xml
from sources.digest import BackgroundDigest
from sources.documents import resource_pieces
from sources.extracts import extract_pieces, is_parquet, parquet_pieces
from sources.hl7v2.framing import split_messages
from sources.line_numbers import LineNumbers
from sources.lines import BLOCK_BYTES, Piece, count_line_feeds, drop_bom, line_blocks, line_start, split_lines
from sources.skeleton import BLANK
from sources.source import ReadLimits
from sources.stored import StoredFile, stamp, storage_errors
from sources.xml_document import document_pieces

_MAGIC_BYTES = 4
_DENSER = 4  # so many times the rows of FHIR stand in a megabyte of an extract, at least


class StoppedError(Exception):
    """The reading was closed while this pass was at work; nobody is left to see this."""


class Pass:
    """Reads a partition from its first byte to its last; ``pieces`` may be called once.

    ``sha256`` is set when the last piece has been asked for and nothing was wrong. ``stop`` makes a pass
    end soon, from any thread.
    """

    def __init__(
        self,
        file: StoredFile,
        partition: Partition,
        limits: ReadLimits,
        numbers: LineNumbers,
        first_line: int | None,
    ) -> None:
        self.bytes_read = 0
        self.sha256: bytes | None = None
        self.stop = threading.Event()
        self._file = file
        self._partition = partition
        self._uri = partition.uri
        self._limits = limits
        self._numbers = numbers
        self._first_line = first_line

    def pieces(self) -> Generator[Piece, None, None]:
        """The chunks and overlong lines; raises as :class:`sources.source.Reading` says."""
        with storage_errors(self._uri), self._file.open() as raw, BackgroundDigest() as digest:
            mark = stamp(raw)
            _check_length(self._partition, mark[0])
            for piece in self._contents(raw, digest, mark):
                yield _of_deletes(piece) if self._partition.deletes else piece
            if stamp(raw) != mark:
                raise _changed(self._uri, "it changed while it was read")
            self.sha256 = digest.digest()

    def _contents(self, raw: BinaryIO, digest: BackgroundDigest, mark: tuple[int, int]) -> Iterator[Piece]:
        if not is_whole(self._partition):
            yield from self._plain_lines(raw, digest, mark)
            return
        codec = codec_of(raw.read(_MAGIC_BYTES), self._uri)
        if self._partition.dialect is not None:
            yield from self._records(raw, codec, digest, self._partition.dialect)
            return
        if self._partition.deletes and _is_table(self._text(raw, codec).blocks):
            yield from self._table(raw, codec, digest)
            return
        if self._is_messages(self._text(raw, codec)):
            text = self._text(raw, codec, digest)
            yield from split_messages(text.blocks, self._uri, self._limits, offset=text.offset)
            return
        if self._is_document(self._text(raw, codec)):
            text = self._text(raw, codec, digest)
            yield from document_pieces(text.blocks, self._uri, self._limits, offset=text.offset)
            return
        content = content_of(self._uri, self._text(raw, codec).blocks, self._limits)
        if content is Content.DOCUMENT:
            yield from self._document(raw, codec, digest)
        elif codec is None:
            yield from self._plain_lines(raw, digest, mark)
        else:
            text = self._text(raw, codec, digest)
            yield from split_lines(text.blocks, self._uri, self._limits, offset=text.offset)

    def _is_messages(self, text: _Text) -> bool:
        given = self._partition.format
        return given is Format.HL7V2 or (given is Format.AUTO and is_messages(self._uri, text.blocks))

    def _is_document(self, text: _Text) -> bool:
        given = self._partition.format
        return given is Format.CCDA or (given is Format.AUTO and is_xml(text.blocks))

    def _table(self, raw: BinaryIO, codec: Codec | None, digest: BackgroundDigest) -> Iterator[Piece]:
        """The lines of a table of deletes."""
        text = self._text(raw, codec, digest)
        for item, lines in split_lines(text.blocks, self._uri, self._limits, offset=text.offset):
            yield (replace(item, kind=ChunkKind.DELETE) if isinstance(item, Chunk) else item), lines

    def _records(
        self, raw: BinaryIO, codec: Codec | None, digest: BackgroundDigest, dialect: Dialect
    ) -> Iterator[Piece]:
        """The rows of an extract."""
        raw.seek(0)
        if is_parquet(raw.read(_MAGIC_BYTES)):
            for _ in self._disk(raw, 0, None, digest):
                pass  # its footer, which is read first, stands at its end
            yield from parquet_pieces(raw, self._uri)
            return
        text = self._text(raw, codec, digest)
        limits = replace(self._limits, chunk_bytes=max(1, self._limits.chunk_bytes // _DENSER))
        yield from extract_pieces(text.blocks, self._uri, limits, dialect, offset=text.offset)

    def _plain_lines(self, raw: BinaryIO, digest: BackgroundDigest, mark: tuple[int, int]) -> Iterator[Piece]:
        """The lines whose first byte lies in the range of the partition."""
        start, end = owned_range(raw, self._partition)
        line = self._first_line
        if line is None:
            known, line = self._numbers.nearest(self._uri, mark, start)
            line += sum(map(count_line_feeds, self._disk(raw, known, start)))
            self._numbers.learn(self._uri, mark, start, line)
        size = min(self._limits.chunk_bytes, self._limits.line_bytes)
        text = _Text(start, self._watched(line_blocks(raw, start, end, size), digest))
        if start == 0:
            text = _Text(*drop_bom(text.blocks))
        for piece in split_lines(text.blocks, self._uri, self._limits, offset=text.offset, line=line):
            yield piece
            line += piece[1]
        if end is not None:
            self._numbers.learn(self._uri, mark, end, line)

    def _document(self, raw: BinaryIO, codec: Codec | None, digest: BackgroundDigest) -> Iterator[Piece]:
        first = self._text(raw, codec)
        outline = survey(first.blocks, self._uri, self._limits, offset=first.offset)
        second = self._text(raw, codec, digest)
        if outline.is_bundle:
            yield from bundle_pieces(second.blocks, self._uri, self._limits, outline, offset=second.offset)
        else:
            yield from resource_pieces(second.blocks, self._uri, self._limits, offset=second.offset)

    def _text(self, raw: BinaryIO, codec: Codec | None, digest: BackgroundDigest | None = None) -> _Text:
        """The whole content, unpacked and without its byte order mark, from the start."""
        if codec is None:
            return _Text(*drop_bom(self._disk(raw, 0, None, digest)))
        unpacked = inflate(self._disk(raw, 0, None, digest), codec, self._uri, self._limits)
        return _Text(*drop_bom(unpacked))

    def _disk(
        self, raw: BinaryIO, start: int, end: int | None, digest: BackgroundDigest | None = None
    ) -> Iterator[bytes]:
        """The bytes on disk in ``[start, end)`` in blocks; hashed and counted when ``digest`` is given."""
        return self._watched(_blocks(raw, start, end), digest)

    def _watched(self, blocks: Iterator[bytes], digest: BackgroundDigest | None) -> Iterator[bytes]:
        for block in blocks:
            if self.stop.is_set():
                raise StoppedError
            if digest is not None:
                digest.update(block)
                self.bytes_read += len(block)
            yield block


def _of_deletes(piece: Piece) -> Piece:
    item, lines = piece
    return (replace(item, deletes=True) if isinstance(item, Chunk) else item), lines


def _is_table(blocks: Iterator[bytes]) -> bool:
    """True for content that begins with anything but a bracket of JSON."""
    begins = next((text for block in blocks if (text := block.lstrip(BLANK))), b"")
    return bool(begins) and not begins.startswith((b"{", b"["))


def plan(
    file: StoredFile,
    limits: ReadLimits,
    *,
    deletes: bool = False,
    given: Format = Format.AUTO,
    dialect: Dialect | None = None,
) -> list[Partition]:
    """The partitions of a file: byte ranges of equal size for large plain NDJSON, else the whole file.

    ``deletes``: it is one of deletes; ``given``: what the user says that it holds; ``dialect`` is that of an extract.
    """
    with storage_errors(file.uri), file.open() as raw:
        size = stamp(raw)[0]
        whole = Partition(file.uri, size=size, deletes=deletes, format=given, dialect=dialect, etag=file.etag)
        if dialect is not None:
            return [whole]  # a record may go over many lines, so that no line can be told to begin one
        if file.etag is not None and size <= limits.partition_bytes:
            return [whole]  # of an object nothing is read before its receipt was asked for
        if codec_of(raw.read(_MAGIC_BYTES), file.uri) is not None or size <= limits.partition_bytes:
            return [whole]
        if given is Format.HL7V2 or (given is Format.AUTO and is_messages(file.uri, _from_start(raw))):
            return [whole]
        if given is Format.CCDA or (given is Format.AUTO and is_xml(_from_start(raw))):
            return [whole]
        blocks = _from_start(raw)
        if content_of(file.uri, blocks, limits) is not Content.LINES:
            return [whole]
    count = -(-size // limits.partition_bytes)
    cuts = [size * part // count for part in range(count + 1)]
    return [
        Partition(file.uri, start, None if end == size else end, end - start, deletes, given, etag=file.etag)
        for start, end in pairwise(cuts)
    ]


def _from_start(raw: BinaryIO) -> Iterator[bytes]:
    return drop_bom(_blocks(raw, 0, None))[1]


def partition_digest(file: StoredFile, partition: Partition) -> bytes:
    """SHA-256 of the bytes on disk of the partition: of the lines that a range owns, else of the file."""
    sha256 = hashlib.sha256()
    with storage_errors(file.uri), file.open() as raw:
        _check_length(partition, stamp(raw)[0])
        start, end = owned_range(raw, partition)
        for block in _blocks(raw, start, end):
            sha256.update(block)
    return sha256.digest()


def owned_range(raw: BinaryIO, partition: Partition) -> tuple[int, int | None]:
    """Where the lines of the partition begin and end in the file; an end of None is the file's."""
    start = line_start(raw, partition.start)
    return start, None if partition.end is None else line_start(raw, partition.end)


def is_whole(partition: Partition) -> bool:
    """True for a partition that is a whole file, which alone may be compressed or a document."""
    return partition.start == 0 and partition.end is None


@dataclass(frozen=True, slots=True)
class _Text:
    """Content from ``offset`` on, in blocks."""

    offset: int
    blocks: Iterator[bytes]


def _blocks(raw: BinaryIO, start: int, end: int | None) -> Iterator[bytes]:
    at = raw.seek(start)
    while block := raw.read(BLOCK_BYTES if end is None else min(BLOCK_BYTES, end - at)):
        yield block
        at += len(block)


def _check_length(partition: Partition, size: int) -> None:
    planned = partition.start + partition.size if partition.end is None else partition.end
    if size < planned:
        raise _changed(partition.uri, f"it has {size:,} bytes, and had {planned:,} when the load was planned")


def _changed(uri: str, what: str) -> IntegrityError:
    return IntegrityError(f"{uri}: {what}; nothing of it was loaded. Load it again when it is complete")
