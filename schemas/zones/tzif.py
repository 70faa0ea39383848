"""TZif files (RFC 8536), in which the IANA database comes."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_HEAD = struct.Struct(">4s c 15x 6l")
_TYPE = struct.Struct(">l ? B")
_LEAP_SECOND = 8 + 4  # bytes of a record


@dataclass(frozen=True, slots=True)
class TimeZoneFile:
    """``first`` is the offset before all transitions; ``transitions`` are pairs of a second of Unix time and the
    offset from then on, in order; ``footer`` is the rule for all later times (RFC 8536 3.3, POSIX TZ), may be empty.

    Offsets are seconds east of UTC.
    """

    first: int
    transitions: tuple[tuple[int, int], ...]
    footer: str


def parse_tzif(data: bytes) -> TimeZoneFile:
    """A TZif file of version 2 or later; ValueError for anything else."""
    magic, version, *counts = _HEAD.unpack_from(data)
    if magic != b"TZif" or version < b"2":
        raise ValueError("this is no TZif file of version 2 or later")
    start = _HEAD.size + _length(counts, 4)
    _, _, *counts = _HEAD.unpack_from(data, start)
    _, _, _, times, types, _ = counts
    start += _HEAD.size
    moments = struct.unpack_from(f">{times}q", data, start)
    indices = data[start + 8 * times : start + 9 * times]
    at = start + 9 * times
    kinds = [_TYPE.unpack_from(data, at + _TYPE.size * n) for n in range(types)]
    offsets = [offset for offset, _, _ in kinds]
    standard = next((offset for offset, summer, _ in kinds if not summer), offsets[0])
    footer = data[start + _length(counts, 8) :].strip(b"\n").decode("ascii")
    transitions = tuple((moment, offsets[kind]) for moment, kind in zip(moments, indices, strict=True))
    return TimeZoneFile(standard, transitions, footer)


def _length(counts: list[int], size: int) -> int:
    """Bytes of a data block whose times have ``size`` bytes (RFC 8536 3.2)."""
    universal, standard, leaps, times, types, letters = counts
    return times * (size + 1) + types * _TYPE.size + letters + leaps * (_LEAP_SECOND - 8 + size) + standard + universal
