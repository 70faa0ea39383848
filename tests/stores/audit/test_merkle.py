"""Merkle trees against the definitions of RFC 6962, written as they stand there."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores.audit.merkle import (
    EMPTY,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [leaf_hash(str(n).encode()) for n in range(70)]
SIZES = st.integers(1, len(LEAVES))


def naive_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 2.1, over leaf hashes."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\1" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def naive_path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962 2.1.1."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*naive_path(m, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive_root(leaves[:k])]


def naive_proof(m: int, leaves: list[bytes], known: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 6962 2.1.2."""
    if m == len(leaves):
        return [] if known else [naive_root(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*naive_proof(m, leaves[:k], known), naive_root(leaves[k:])]
    return [*naive_proof(m - k, leaves[k:], False), naive_root(leaves[:k])]


def test_known_roots() -> None:
    """Roots that Certificate Transparency publishes for its test leaves."""
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    leaves = [leaf_hash(bytes.fromhex(one)) for one in inputs]
    assert EMPTY.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert root_of(leaves[:1]).hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert root_of(leaves[:2]).hex() == "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
    assert root_of(leaves).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@given(SIZES)
def test_a_tree_that_grows(size: int) -> None:
    """The frontier has the root of the definition, also when it was put away and taken up."""
    grown = Frontier()
    for leaf in LEAVES[:size]:
        grown = Frontier(grown.size, grown.roots)
        grown.append(leaf)
    assert grown.root() == root_of(LEAVES[:size]) == naive_root(LEAVES[:size])
    with pytest.raises(ValueError, match="as many roots"):
        Frontier(size, [*grown.roots, EMPTY])


@given(SIZES, st.data())
def test_inclusion(size: int, data: st.DataObject) -> None:
    """The path of the definition proves its leaf, and neither another leaf, place, size nor path."""
    index = data.draw(st.integers(0, size - 1))
    leaves, root = LEAVES[:size], root_of(LEAVES[:size])
    path = inclusion_proof(leaves, index)
    assert path == naive_path(index, leaves)
    assert verify_inclusion(leaves[index], index, size, path, root)
    other = data.draw(st.integers(0, size - 1).filter(lambda n: n != index)) if size > 1 else size
    assert not verify_inclusion(leaves[index], other, size, path, root)
    assert not verify_inclusion(leaf_hash(b"other"), index, size, path, root)
    assert not verify_inclusion(leaves[index], index, size, [*path, EMPTY], root)
    assert not verify_inclusion(leaves[index], index, size, path, EMPTY)
    for n in range(len(path)):
        assert not verify_inclusion(leaves[index], index, size, [*path[:n], *path[n + 1 :]], root)
        assert not verify_inclusion(leaves[index], index, size, [*path[:n], EMPTY, *path[n + 1 :]], root)


@given(SIZES, st.data())
def test_consistency(size: int, data: st.DataObject) -> None:
    """The proof of the definition shows that a tree grew, and not from another."""
    first = data.draw(st.integers(1, size))
    leaves, root, before = LEAVES[:size], root_of(LEAVES[:size]), root_of(LEAVES[:first])
    path = consistency_proof(leaves, first)
    assert path == naive_proof(first, leaves)
    assert verify_consistency(first, size, path, before, root)
    assert not verify_consistency(first, size, path, EMPTY, root)
    assert not verify_consistency(first, size, path, before, EMPTY)
    assert not verify_consistency(first, size, [*path, EMPTY], before, root)
    for n in range(len(path)):
        assert not verify_consistency(first, size, [*path[:n], EMPTY, *path[n + 1 :]], before, root)


def test_out_of_range() -> None:
    """What is not in a tree has no proof."""
    for index in (-1, 3):
        with pytest.raises(IndexError):
            inclusion_proof(LEAVES[:3], index)
    for first in (0, 4):
        with pytest.raises(IndexError):
            consistency_proof(LEAVES[:3], first)
    assert not verify_inclusion(LEAVES[0], 3, 3, [], EMPTY)
    assert not verify_consistency(0, 3, [], EMPTY, EMPTY)
    assert not verify_consistency(2, 3, [], EMPTY, EMPTY)
