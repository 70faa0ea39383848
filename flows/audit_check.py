"""Verifies the audit trail of a mart: against itself, its checkpoints, and the mart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flows.keyring import keys_of, mart_at
from flows.sealing import copies_told
from schemas.errors import UsageError
from stores.audit.against_mart import Proved, Told, check_mart
from stores.audit.chain import Chain, Fault, check_checkpoints, read_chain
from stores.audit.checkpoints import Checkpoint, Checkpoints
from stores.audit.segments import Segments
from stores.audit.trail import trail_folder
from stores.keys import Keys


@dataclass(slots=True)
class Verified:
    """What was found; :meth:`as_dict` is what ``clinmart audit verify --json`` prints."""

    chain: Chain
    here: int = 0  # checkpoints beside the trail
    copies: int | None = None  # checkpoints of another place; None: none was named
    proved: Proved | None = None
    faults: list[Fault] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        """As plain JSON values."""
        return {
            "status": "broken" if self.faults else "ok",
            "trail": self.chain.trail,
            "records": len(self.chain.hashes),
            "segments": self.chain.segments,
            "checkpoints": {"here": self.here, "copies": self.copies},
            "mart": None if self.proved is None else self.proved.as_dict(),
            "faults": [fault.as_dict() for fault in self.faults],
        }


def verify(mart: Path, copies: str | None = None, *, wait: float = 0.0) -> Verified:
    """Hold the trail of ``mart`` against all that tells of it; the first fault is that of the first bad record.

    ``copies``: a second place of checkpoints, else as ``CLINMART_AUDIT_COPY`` says. Raises UsageError when there is
    neither mart nor trail, and what reading them raises.
    """
    folder = trail_folder(mart)
    if not mart.exists() and not folder.exists():
        raise UsageError(f"there is no mart {mart}, and no audit trail of one")
    told = Told()
    chain = read_chain(Segments(folder), told.take)
    found = Verified(chain)
    if chain.fault is not None:
        found.faults.append(chain.fault)
    local, second = Checkpoints(folder).read(), copies_told(copies)
    found.here = len(local)
    ring = keys_of(mart) if local or second is not None else None
    if ring is not None:
        found.faults += _check(
            chain, local, ring, f"the checkpoints beside the trail ({Checkpoints(folder).path.name})"
        )
    if ring is not None and second is not None:
        kept = second.read()
        found.copies = len(kept)
        found.faults += _check(chain, kept, ring, f"the copies of checkpoints in {second.where}")
    if mart.exists() and chain.fault is None:
        found.proved = Proved()
        with mart_at(mart, repairing=True).connect(read_only=True, wait=wait) as connection:
            found.faults += check_mart(connection, chain, told, found.proved)
    found.faults = list(dict.fromkeys(found.faults))
    return found


def _check(chain: Chain, checkpoints: Sequence[Checkpoint | str], keys: Keys, where: str) -> Iterator[Fault]:
    """Faults of the checkpoints themselves, then what those that are right say of the chain."""
    right: list[Checkpoint] = []
    for one in checkpoints:
        if isinstance(one, str):
            yield Fault(one)
        elif (fault := one.fault(keys)) is not None:
            yield Fault(f"the checkpoint over {one.size} records in {where} {fault}")
        else:
            right.append(one)
    yield from check_checkpoints(chain, right, where)


def records_of(mart: Path) -> tuple[str, list[dict[str, object]]]:
    """The identity of a mart's trail, and its records. Raises IntegrityError for one that is broken in itself."""
    from schemas.errors import IntegrityError  # noqa: PLC0415

    found: list[dict[str, object]] = []
    chain = read_chain(Segments(trail_folder(mart)), lambda values: found.append(dict(values)))
    if chain.fault is not None:
        raise IntegrityError(f"{chain.fault}: run clinmart audit verify --mart {mart}")
    return chain.trail, found
