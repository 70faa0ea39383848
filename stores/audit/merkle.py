"""Merkle trees as RFC 6962 has them (2.1), with proofs that are checked as RFC 9162 says (2.1.3 and 2.1.4)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

EMPTY = hashlib.sha256(b"").digest()  # root of a tree without leaves


def leaf_hash(data: bytes) -> bytes:
    """SHA-256 of 0x00 and the leaf's bytes: 32 bytes."""
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256 of 0x01 and both children: 32 bytes."""
    return hashlib.sha256(b"\1" + left + right).digest()


class Frontier:
    """The roots of the perfect trees that a growing tree is made of, the largest first: all that it takes to grow on.

    ``size`` leaves have as many roots as ``size`` has binary ones.
    """

    def __init__(self, size: int = 0, roots: Sequence[bytes] = ()) -> None:
        if size.bit_count() != len(roots):
            raise ValueError("as many roots as binary ones")
        self.size = size
        self.roots = list(roots)

    def append(self, leaf: bytes) -> None:
        """Add the hash of the next leaf."""
        carried, size = leaf, self.size
        while size & 1:
            carried = node_hash(self.roots.pop(), carried)
            size >>= 1
        self.roots.append(carried)
        self.size += 1

    def root(self) -> bytes:
        """The head of the tree (RFC 6962 2.1)."""
        if not self.roots:
            return EMPTY
        made = self.roots[-1]
        for left in reversed(self.roots[:-1]):
            made = node_hash(left, made)
        return made


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The head of a tree over leaf hashes."""
    grown = Frontier()
    for leaf in leaves:
        grown.append(leaf)
    return grown.root()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """PATH(m, D[n]) of RFC 6962 2.1.1 for the leaf hash at ``index`` from 0 on. IndexError when there is none."""
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    low, high, path = 0, len(leaves), list[bytes]()
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(root_of(leaves[middle:high]))
            high = middle
        else:
            path.append(root_of(leaves[low:middle]))
            low = middle
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether ``path`` proves that the leaf at ``index`` is in the tree of that size and root (RFC 9162 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    position, last, made = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if position & 1 or position == last:
            made = node_hash(sibling, made)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            made = node_hash(made, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and made == root


def consistency_proof(leaves: Sequence[bytes], first: int) -> list[bytes]:
    """PROOF(m, D[n]) of RFC 6962 2.1.2: the first ``first`` leaves are how the tree began. IndexError out of range."""
    if not 0 < first <= len(leaves):
        raise IndexError(first)
    low, high, known, path = 0, len(leaves), True, list[bytes]()
    while first != high:
        middle = low + _split(high - low)
        if first <= middle:
            path.append(root_of(leaves[middle:high]))
            high = middle
        else:
            path.append(root_of(leaves[low:middle]))
            low, known = middle, False
    if not known:
        path.append(root_of(leaves[low:high]))
    return path[::-1]


def verify_consistency(first: int, size: int, path: Sequence[bytes], before: bytes, root: bytes) -> bool:
    """Whether ``path`` proves that the tree of ``size`` leaves and ``root`` grew from that of ``first`` leaves and root
    ``before`` (RFC 9162 2.1.4.2).
    """
    if not 0 < first <= size:
        return False
    if first == size:
        return not path and before == root
    steps = [before, *path] if first.bit_count() == 1 else list(path)
    if not steps:
        return False
    position, last = first - 1, size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new = node_hash(new, step)
        position, last = position >> 1, last >> 1
    return last == 0 and old == before and new == root


def _split(size: int) -> int:
    """The greatest power of two below ``size``."""
    return 1 << (size - 1).bit_length() - 1
