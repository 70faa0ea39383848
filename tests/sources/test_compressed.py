"""Gzip and Zstandard: whole streams pass, everything else is refused by name."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable, Iterator, Sequence

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import IntegrityError
from sources.compressed import Codec, codec_of, inflate
from sources.source import ReadLimits

Cut = Callable[[bytes, Sequence[int]], list[bytes]]


def _zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


PACK = {Codec.GZIP: gzip.compress, Codec.ZSTD: _zstd}
SKIPPABLE = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"
both = pytest.mark.parametrize("codec", list(Codec))


def _inflate(blocks: Sequence[bytes], codec: Codec) -> bytes:
    return b"".join(inflate(blocks, codec, "u", ReadLimits()))


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=3), st.integers(1, 9), st.sampled_from(list(Codec)))
def test_members_one_after_another_are_one_content(cut: Cut, parts: list[bytes], size: int, codec: Codec) -> None:
    """Several gzip members or zstd frames, cut anywhere, also empty ones."""
    packed = b"".join(PACK[codec](part) for part in parts)
    assert _inflate(cut(packed, [size]), codec) == b"".join(parts)


@both
def test_much_more_than_one_step(codec: Codec) -> None:
    """A content far above one step of either codec comes out whole."""
    data = b"".join(zlib.crc32(bytes([n % 251])).to_bytes(4, "big") * 9 for n in range(300_000))
    assert _inflate([PACK[codec](data)], codec) == data


@both
def test_every_cut_is_noticed(codec: Codec) -> None:
    """A stream without its last bytes is refused, wherever it ends but between two members."""
    packed = PACK[codec](b"one line\n" * 20)
    for at in range(len(packed)):
        with pytest.raises(
            IntegrityError,
            match=r"^u: this .* file cannot be unpacked: .*(cut off after|is empty).*nothing of it was loaded",
        ):
            _inflate([packed[:at]] if at else [], codec)
    for at in range(1, len(packed)):
        with pytest.raises(IntegrityError, match="cut off after"):
            _inflate([packed, packed[:at]], codec)


@both
@pytest.mark.parametrize("garbage", [b"x", b"garbage that is no header", b"\x1f\x8b!!"])
def test_garbage_after_the_end_is_noticed(codec: Codec, garbage: bytes) -> None:
    """Bytes that follow the last member are no padding unless they are zeros (gzip)."""
    with pytest.raises(IntegrityError, match=r"^u: this .* file cannot be unpacked: .*nothing of it was loaded"):
        _inflate([PACK[codec](b"a\n"), garbage], codec)


def test_garbage_is_named_with_its_place() -> None:
    """The message says that the beginning was right."""
    packed = gzip.compress(b"a\n")
    with pytest.raises(IntegrityError, match=rf"no gzip follow its end, from byte {len(packed)}"):
        _inflate([packed + b"<html>"], Codec.GZIP)
    with pytest.raises(IntegrityError, match="no zstd follow its end"):
        _inflate([_zstd(b"a\n") + b"<html>"], Codec.ZSTD)


def test_zeros_after_gzip_are_padding() -> None:
    """As gzip itself has it; another member may still follow."""
    packed = gzip.compress(b"a\n")
    assert _inflate([packed, bytes(10), bytes(10), packed, bytes(3)], Codec.GZIP) == b"a\na\n"


def test_skippable_frames_are_skipped() -> None:
    """Zstandard's seekable and parallel writers leave them before, between and after the others."""
    packed = _zstd(b"a\n")
    assert _inflate([SKIPPABLE + packed + SKIPPABLE + packed + SKIPPABLE], Codec.ZSTD) == b"a\na\n"


@both
def test_a_flipped_bit_is_noticed(codec: Codec) -> None:
    """Wherever it is: in the header, the data, the checksum or the length."""
    content = bytes(range(256)) * 3
    packed = PACK[codec](content)
    for at in range(len(packed)):
        if codec is Codec.GZIP and 3 <= at < 10:
            continue  # flags, time and system of the header: nothing guards them
        damaged = bytearray(packed)
        damaged[at] ^= 0x10
        try:
            assert _inflate([bytes(damaged)], codec) == content
        except IntegrityError:
            continue
        assert at == 4, f"byte {at} was changed without notice"  # zstd: an unused bit of the frame header


def test_the_fault_is_named() -> None:
    """Checksum, length and header faults are told apart."""
    packed = gzip.compress(b"hello\n")
    for at, what in ((-8, "checksum"), (-4, "its length does not match"), (0, "does not begin like gzip")):
        damaged = bytearray(packed)
        damaged[at] ^= 1
        with pytest.raises(IntegrityError, match=what):
            _inflate([bytes(damaged)], Codec.GZIP)
    with pytest.raises(IntegrityError, match="unknown frame descriptor"):
        _inflate([b"no zstd at all"], Codec.ZSTD)
    damaged = bytearray(_zstd(b"hello\n"))
    damaged[-1] ^= 1
    with pytest.raises(IntegrityError, match="restored data doesn't match checksum"):
        _inflate([bytes(damaged)], Codec.ZSTD)


def test_a_window_too_large_is_no_damage() -> None:
    """What zstd --long=31 writes is right, but takes 2 GiB to read."""
    parameters = zstandard.ZstdCompressionParameters(window_log=28)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    with pytest.raises(IntegrityError, match=r"window above 128 MiB .* Unpack it yourself"):
        _inflate([packer.compress(b"a\n") + packer.flush()], Codec.ZSTD)


@both
def test_a_bomb_is_refused_and_never_unpacked(codec: Codec) -> None:
    """Half a gigabyte of zeros: refused soon after 100 MB, with memory for a step or two."""
    if codec is Codec.GZIP:
        packer = zlib.compressobj(9, wbits=31)
        bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(512)) + packer.flush()
    else:
        zstd = zstandard.ZstdCompressor(level=19).compressobj()
        bomb = b"".join(zstd.compress(bytes(1 << 20)) for _ in range(512)) + zstd.flush()
    seen = 0
    tracemalloc.start()
    with pytest.raises(
        IntegrityError, match=r"^u: this .* file cannot be unpacked: .* over 200 times; nothing of it was loaded"
    ):
        for block in inflate([bomb], codec, "u", ReadLimits()):
            seen += len(block)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seen <= 140_000_000
    assert peak < 80_000_000


def test_a_high_ratio_is_no_bomb_while_it_is_small() -> None:
    """Below 100 MB anything may be packed tightly."""
    assert len(_inflate([gzip.compress(bytes(50_000_000))], Codec.GZIP)) == 50_000_000


def test_a_low_ratio_is_no_bomb_when_it_is_large() -> None:
    """The ratio counts what has been read so far, not the first block."""

    def blocks() -> Iterator[bytes]:
        packer = zlib.compressobj(1, wbits=31)
        for _ in range(30):
            yield packer.compress(bytes(1000) + bytes(range(256)) * 4)
        yield packer.flush()

    limits = ReadLimits(max_ratio=100, ratio_floor=1000)
    assert len(b"".join(inflate(blocks(), Codec.GZIP, "u", limits))) == 30 * 2024
    with pytest.raises(IntegrityError, match="over 60 times"):
        list(inflate(blocks(), Codec.GZIP, "u", ReadLimits(max_ratio=60, ratio_floor=1000)))


@pytest.mark.parametrize(
    ("head", "name", "codec"),
    [
        (b"\x1f\x8b\x08\x00", "a.ndjson", Codec.GZIP),
        (b"\x28\xb5\x2f\xfd", "a", Codec.ZSTD),
        (b"\x28\xb5\x2f\xfd", "a.gz", Codec.ZSTD),
        (b"\x1f\x8b\x08\x00", "a.zst", Codec.GZIP),
        (b'{"a"', "a.NDJSON.GZ", Codec.GZIP),
        (b"", "a.json.zst", Codec.ZSTD),
        (SKIPPABLE[:4], "a.zst", Codec.ZSTD),
        (b'{"a"', "a.json", None),
        (b"", "a", None),
    ],
)
def test_the_codec_is_known_by_content_then_by_name(head: bytes, name: str, codec: Codec | None) -> None:
    """The first bytes count more than the name; a name without the bytes leads to a refusal later."""
    assert codec_of(head, name) is codec
