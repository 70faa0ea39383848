"""Gzip and Zstandard streams, unpacked in bounded steps and refused when anything about them is wrong."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from enum import StrEnum

import zstandard

from schemas.errors import IntegrityError
from sources.source import ReadLimits

_INPUT_BYTES = 256 * 1024  # one step of gzip takes so much; what is left of it is copied with each step
_OUTPUT_BYTES = 1024 * 1024  # the most that one step of gzip unpacks
# A Zstandard block of 4 bytes unpacks to 128 KiB at most (RFC 8878 3.1.1.2), so one step stays under 32 MiB.
_ZSTD_STEP_BYTES = 1024
_GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952 2.3.1
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"  # RFC 8878 3.1.1
_GZIP_WINDOW = 31  # zlib's way to say: gzip header and trailer, window of any size
_GZIP_FAULTS = {
    "incorrect data check": "its checksum (CRC-32) does not match its content",
    "incorrect length check": "its length does not match its content",
    "incorrect header check": "it does not begin like gzip",
}


class Codec(StrEnum):
    """How a file is compressed."""

    GZIP = "gzip"
    ZSTD = "zstd"


def codec_of(head: bytes, name: str) -> Codec | None:
    """The codec by the first bytes of a file (no JSON begins so), else by its name; None: plain."""
    if head.startswith(_GZIP_MAGIC) or name.lower().endswith(".gz"):
        return Codec.ZSTD if head.startswith(_ZSTD_MAGIC) else Codec.GZIP
    if head.startswith(_ZSTD_MAGIC) or name.lower().endswith(".zst"):
        return Codec.ZSTD
    return None


def inflate(blocks: Iterable[bytes], codec: Codec, uri: str, limits: ReadLimits) -> Iterator[bytes]:
    """The content of a compressed file, in blocks of at most 32 MiB (gzip: 1 MiB).

    Several members or frames one after another are one content. Raises :class:`IntegrityError` at a bad
    header, a wrong checksum, bytes after the end, a stream that is cut off, or an output above
    ``limits.max_ratio`` times the input (once it is above ``limits.ratio_floor``). Exhaust it before
    believing what it gave.
    """
    fed = _Fed(blocks)
    unpack = _gunzip if codec is Codec.GZIP else _unzstd
    produced = 0
    for data in unpack(fed, uri):
        produced += len(data)
        if produced > limits.ratio_floor and produced > limits.max_ratio * fed.total:
            raise _refusal(
                uri,
                codec,
                f"{fed.total:,} bytes of it unpack to {produced:,} and more, over {limits.max_ratio} times",
                "If it is right, unpack it yourself and load the plain file",
            )
        if data:
            yield data


class _Fed:
    """The compressed blocks in small pieces, counted as they are taken."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self.total = 0
        self._blocks = blocks

    def __iter__(self) -> Iterator[bytes]:
        for block in self._blocks:
            for at in range(0, len(block), _INPUT_BYTES):
                piece = block[at : at + _INPUT_BYTES]
                self.total += len(piece)
                yield piece


def _gunzip(blocks: _Fed, uri: str) -> Iterator[bytes]:
    """Gzip members (RFC 1952 2.2); zeros after the last one are padding, as gzip itself takes them."""
    member = zlib.decompressobj(_GZIP_WINDOW)
    members, begun = 0, False
    for block in blocks:
        data = block
        while data:
            if not begun and members:
                data = data.lstrip(b"\0")
                if not data:
                    break
            begun = True
            try:
                yield member.decompress(data, _OUTPUT_BYTES)
            except zlib.error as error:
                raise _gzip_fault(uri, error, members, blocks.total - len(data)) from None
            data = member.unconsumed_tail
            if member.eof:
                data, begun, members = member.unused_data, False, members + 1
                member = zlib.decompressobj(_GZIP_WINDOW)
    while begun and (out := member.decompress(b"", _OUTPUT_BYTES)):
        yield out
    if (begun and not member.eof) or not (begun or members):
        raise _cut_off(uri, Codec.GZIP, blocks.total)


def _unzstd(blocks: _Fed, uri: str) -> Iterator[bytes]:
    """Zstandard frames, skippable ones among them (RFC 8878 3.1)."""
    decompressor = zstandard.ZstdDecompressor()
    frame: zstandard.ZstdDecompressionObj | None = None
    frames = 0
    for block in blocks:
        for at in range(0, len(block), _ZSTD_STEP_BYTES):
            data = block[at : at + _ZSTD_STEP_BYTES]
            while data:
                frame = frame or decompressor.decompressobj()
                try:
                    out = frame.decompress(data)
                except zstandard.ZstdError as error:
                    raise _zstd_fault(uri, error, frames) from None
                yield out
                data = b""
                if frame.eof:
                    data, frame, frames = frame.unused_data, None, frames + 1
    if frame is not None or not frames:
        raise _cut_off(uri, Codec.ZSTD, blocks.total)


def _gzip_fault(uri: str, error: zlib.error, members: int, at: int) -> IntegrityError:
    said = str(error).rpartition(": ")[2]
    if members and said == "incorrect header check":
        return _refusal(uri, Codec.GZIP, f"bytes that are no gzip follow its end, from byte {at:,}")
    return _refusal(uri, Codec.GZIP, _GZIP_FAULTS.get(said, said))


def _zstd_fault(uri: str, error: zstandard.ZstdError, frames: int) -> IntegrityError:
    said = str(error).rpartition(": ")[2]
    if said == "Frame requires too much memory for decoding":
        what = "it was packed with a window above 128 MiB (zstd --long)"
        return _refusal(uri, Codec.ZSTD, what, "Unpack it yourself and load the plain file")
    if frames and said == "Unknown frame descriptor":
        return _refusal(uri, Codec.ZSTD, "bytes that are no zstd follow its end")
    return _refusal(uri, Codec.ZSTD, said[:1].lower() + said[1:])


def _cut_off(uri: str, codec: Codec, total: int) -> IntegrityError:
    return _refusal(uri, codec, f"it is cut off after {total:,} bytes" if total else "it is empty")


def _refusal(uri: str, codec: Codec, what: str, remedy: str = "Get the file again") -> IntegrityError:
    return IntegrityError(f"{uri}: this {codec} file cannot be unpacked: {what}; nothing of it was loaded. {remedy}")
