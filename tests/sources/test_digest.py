"""The hash beside the reader is the hash of the bytes."""

from __future__ import annotations

import hashlib
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.digest import BackgroundDigest


@given(st.lists(st.binary(max_size=20), max_size=30))
def test_it_is_the_hash_of_all_blocks_in_order(blocks: list[bytes]) -> None:
    """Also in between, and for no blocks at all."""
    with BackgroundDigest() as digest:
        for count, block in enumerate(blocks, 1):
            digest.update(block)
            if count % 7 == 0:
                assert digest.digest() == hashlib.sha256(b"".join(blocks[:count])).digest()
        assert digest.digest() == hashlib.sha256(b"".join(blocks)).digest()


def test_more_than_the_backlog() -> None:
    """Many large blocks: the reader waits, and nothing is lost."""
    block = bytes(range(256)) * 20_000
    with BackgroundDigest() as digest:
        for _ in range(12):
            digest.update(block)
        assert digest.digest() == hashlib.sha256(block * 12).digest()


def test_its_thread_ends_with_it() -> None:
    """Also when the reading fails."""
    before = set(threading.enumerate())
    with pytest.raises(ZeroDivisionError), BackgroundDigest() as digest:
        for _ in range(5):
            digest.update(b"x" * 5000)
        raise ZeroDivisionError
    assert set(threading.enumerate()) == before
