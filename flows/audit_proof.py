"""Proofs that a record is in a trail, and that a trail grew from what it was: to be checked without the trail."""

from __future__ import annotations

from pathlib import Path

from schemas.errors import IntegrityError, UsageError
from stores.audit.chain import read_chain
from stores.audit.merkle import (
    consistency_proof,
    inclusion_proof,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from stores.audit.segments import Segments
from stores.audit.trail import trail_folder


def prove(mart: Path, number: int | None, since: int | None, size: int | None) -> dict[str, object]:
    """An inclusion proof of record ``number``, or a consistency proof from the first ``since`` records, in the tree of
    the first ``size`` (all). Hashes are hexadecimal; the proof was checked before it is given.

    Raises UsageError for records that are not there, and IntegrityError for a trail that is broken in itself.
    """
    chain = read_chain(Segments(trail_folder(mart)))
    if chain.fault is not None:
        raise IntegrityError(f"{chain.fault}: run clinmart audit verify --mart {mart}")
    there = len(chain.hashes)
    size = there if size is None else size
    if (number is None) == (since is None):
        raise UsageError("give the number of a record, or --since SIZE: what is to be proved?")
    wanted = number if number is not None else since
    if wanted is None or not 1 <= size <= there or not 1 <= wanted <= size:
        raise UsageError(f"the audit trail of {mart} has the records 1 to {there}: give numbers among them")
    leaves = chain.hashes[:size]
    root = root_of(leaves)
    told: dict[str, object] = {"trail": chain.trail, "size": size, "root": root.hex()}
    if number is not None:
        path = inclusion_proof(leaves, number - 1)
        right = verify_inclusion(leaves[number - 1], number - 1, size, path, root)
        told |= {"record": number, "hash": leaves[number - 1].hex(), "inclusion": [one.hex() for one in path]}
    else:
        before = root_of(leaves[:wanted])
        path = consistency_proof(leaves, wanted)
        right = verify_consistency(wanted, size, path, before, root)
        told |= {"since": wanted, "before": before.hex(), "consistency": [one.hex() for one in path]}
    if not right:
        raise IntegrityError("the proof does not hold: this is a fault of clinmart, please report it")
    return told
