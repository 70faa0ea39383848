"""A file that was downloaded, looked through before it is taken for whole."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from sources.bulk_export.answer import Listed, in_words
from sources.bulk_export.digests import promised_digests
from sources.pace import PassingError

GZIP = b"\x1f\x8b"
_BLOCK = 1024 * 1024
_BLANK = b" \t\r\n"
_HEAD = 64 * 1024  # of the first line, in which a resource tells its type
_LONGEST_REST = 64 * 1024 * 1024  # of a last line without a line feed, up to which it is looked at
_GZIP_WINDOW = 31  # zlib: gzip, with its largest window
_OUTCOME = b"OperationOutcome"


@dataclass(frozen=True, slots=True)
class Landed:
    """A whole file of the folder: what was listed, its path, size in bytes, SHA-256 and number of resources."""

    listed: Listed
    path: Path
    size: int
    sha256: str
    resources: int


@dataclass(slots=True)
class _Seen:
    lines: int = 0
    head: bytes = b""
    rest: bytes = b""  # what follows the last line feed


def look_through(path: Path, listed: Listed, promised: Mapping[str, str]) -> Landed:
    """The file at ``path``, plain or gzip, as a landed one. Blocks; reads it once, twice when lines are missing.

    ``promised`` are the headers with digests that came with it; all must agree. Raises PassingError when it is cut,
    holds fewer resources than the manifest says, or is no NDJSON.
    """
    digests = promised_digests(promised)
    hashes = {name: hashlib.new(name, usedforsecurity=False) for name in {"sha256", *digests}}
    seen, size = _Seen(), 0
    for block in _blocks(path):
        size += len(block)
        for each in hashes.values():
            each.update(block)
    for name, digest in digests.items():
        if hashes[name].digest() != digest:
            raise PassingError(f"{listed.name}: its bytes are not those that the server's digest is of")
    for text in _text(path, listed):
        _look(seen, text)
    return Landed(listed, path, size, hashes["sha256"].hexdigest(), _resources(seen, path, listed))


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def _text(path: Path, listed: Listed) -> Iterable[bytes]:
    blocks = _blocks(path)
    with path.open("rb") as file:
        zipped = file.read(len(GZIP)) == GZIP
    return _unzipped(blocks, listed) if zipped else blocks


def _unzipped(blocks: Iterator[bytes], listed: Listed) -> Iterator[bytes]:
    """The content of gzip members, never much more at once than one block."""
    inflater = zlib.decompressobj(_GZIP_WINDOW)
    try:
        for block in blocks:
            rest = block
            while rest:
                if inflater.eof:
                    inflater = zlib.decompressobj(_GZIP_WINDOW)
                yield inflater.decompress(rest, _BLOCK)
                rest = inflater.unconsumed_tail or inflater.unused_data
    except zlib.error:
        raise PassingError(f"{listed.name}: its gzip is damaged") from None
    if not inflater.eof:
        raise PassingError(f"{listed.name}: its gzip is cut short")


def _look(seen: _Seen, text: bytes) -> None:
    if not text:
        return
    seen.lines += text.count(b"\n")
    if len(seen.head) < _HEAD:
        seen.head += text[: _HEAD - len(seen.head)]
    _, feed, rest = text.rpartition(b"\n")
    seen.rest = rest if feed else (seen.rest + text)[: _LONGEST_REST + 1]


def _resources(seen: _Seen, path: Path, listed: Listed) -> int:
    """How many resources the file holds, when it is whole."""
    head = seen.head.removeprefix(b"\xef\xbb\xbf").lstrip(_BLANK)
    if head and not head.startswith(b"{"):
        raise PassingError(f"{listed.name}: the answer is {in_words(head)}, not NDJSON")
    if listed.section == "output" and listed.type != _OUTCOME.decode() and _is_outcome(head):
        raise PassingError(f"{listed.name}: the answer is an OperationOutcome, not {listed.type or 'data'}")
    rest = seen.rest.strip(_BLANK)
    if len(rest) <= _LONGEST_REST and not _is_json(rest):
        raise PassingError(f"{listed.name}: its last line is cut short")
    lines = seen.lines + bool(rest)
    if listed.count is None or lines == listed.count:
        return lines
    lines = sum(1 for line in _lines(_text(path, listed)) if line.strip(_BLANK))
    if lines < listed.count:
        raise PassingError(f"{listed.name}: it holds {lines:,} resources, and the manifest says {listed.count:,}")
    return lines


def _is_json(line: bytes) -> bool:
    """True for a whole value, and for nothing at all."""
    try:
        return not line or bool(msgspec.json.decode(line, type=msgspec.Raw))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False


def _is_outcome(head: bytes) -> bool:
    """True when the first line names that type where a resource names its own."""
    first = head.partition(b"\n")[0]
    compact = first.replace(b" ", b"")
    return compact.startswith(b'{"resourceType":"' + _OUTCOME + b'"')


def _lines(text: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for block in text:
        *lines, rest = (rest + block).split(b"\n")
        yield from lines
    yield rest
