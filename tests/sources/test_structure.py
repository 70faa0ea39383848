"""Brackets and strings of JSON, compared with reading byte by byte."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.structure import SHALLOW, BracketScanner, is_balanced

Cut = Callable[[bytes, Sequence[int]], list[bytes]]

soup = st.lists(st.sampled_from([b'"', b"\\", b"\\\\", b"{", b"}", b"[", b"]", b"|", b"\n", b"\r", b"a", b","])).map(
    b"".join
)


def _by_hand(data: bytes) -> tuple[list[tuple[int, int, bool]], int, bool, int | None]:
    """Shallow brackets, depth, whether inside a string, first line break in one: byte after byte."""
    found: list[tuple[int, int, bool]] = []
    depth, inside, escaped, broken = 0, False, False, None
    for at, byte in enumerate(data):
        char = chr(byte)
        if inside and char in "\r\n" and broken is None:
            broken = at
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == '"':
            inside = not inside
        elif not inside and char in "{}[]":
            before, depth = depth, depth + (1 if char in "{[" else -1)
            if min(before, depth) <= SHALLOW:
                found.append((at, depth, char in "{["))
    return found, depth, inside, broken


@given(soup, st.lists(st.integers(1, 5), min_size=1, max_size=3))
def test_the_scanner_sees_what_reading_byte_by_byte_sees(cut: Cut, data: bytes, sizes: list[int]) -> None:
    """Any bytes, any cut: the same brackets, depth, strings and broken strings."""
    scanner, found, base = BracketScanner(), [], 0
    for block in cut(data, sizes):
        found += [(base + at, depth, opens) for at, depth, opens in scanner.scan(block)]
        base += len(block)
    assert (found, scanner.depth, scanner.in_string, scanner.broken_string) == _by_hand(data)


def test_an_empty_block_changes_nothing() -> None:
    """A block without bytes between an escape and what it escapes."""
    scanner = BracketScanner()
    assert scanner.scan(b'"\\') == []
    assert scanner.scan(b"") == []
    assert scanner.scan(b'"') == []
    assert scanner.in_string


@pytest.mark.parametrize(
    "data", [b"{}", b"[]", b'{"a":"}"}', b'{"a":[{"b":"\\""}]}', b'{"a":NaN}', b"[" * 3000 + b"]" * 3000]
)
def test_balanced(data: bytes) -> None:
    """One value in brackets, from the first byte to the last."""
    assert is_balanced(data)


@pytest.mark.parametrize("data", [b"", b"1", b"{", b"{}}", b"{}{}", b"{} ", b'{"a":"}', b"x{}", b'"{}"'])
def test_not_balanced(data: bytes) -> None:
    """Cut values, several values and scalars are not."""
    assert not is_balanced(data)
