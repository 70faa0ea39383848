"""Reads a trail from its stored bytes and holds it against itself and its checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stores.audit.merkle import Frontier
from stores.audit.record import FIRST, parse
from stores.audit.segments import Segments

if TYPE_CHECKING:
    from stores.audit.checkpoints import Checkpoint

Values = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and where: segment, line in it and number of the record, as far as there is one."""

    what: str
    segment: str | None = None
    line: int | None = None
    number: int | None = None

    def as_dict(self) -> dict[str, object]:
        """As JSON values."""
        return {"segment": self.segment, "line": self.line, "number": self.number, "what": self.what}

    def __str__(self) -> str:
        place = f"{self.segment}, line {self.line}: " if self.segment and self.line else ""
        return place + self.what


@dataclass(slots=True)
class Chain:
    """A trail as it was read, up to its first fault."""

    trail: str = ""
    begin: Mapping[str, object] = field(default_factory=dict)  # what its first record says of itself
    hashes: list[bytes] = field(default_factory=list)  # of the records, which are the leaves of the tree
    places: list[tuple[str, int]] = field(default_factory=list)  # segment and line of each
    segments: int = 0
    fault: Fault | None = None

    def place_of(self, number: int) -> tuple[str | None, int | None]:
        """Where a record stands."""
        return self.places[number - 1] if 0 < number <= len(self.places) else (None, None)


def read_chain(segments: Segments, take: Callable[[Values], None] = lambda _: None) -> Chain:
    """Every record in order, each checked and given to ``take``, until one is wrong. Raises StorageError."""
    chain, numbers = Chain(), segments.numbers()
    chain.segments = len(numbers)
    if not numbers:
        chain.fault = Fault(f"there is no audit trail in {segments.folder}")
        return chain
    before = FIRST
    for expected, segment in enumerate(numbers, 1):
        if segment != expected:
            name = segments.path(expected).name
            chain.fault = Fault(f"the file {name} is missing", name, 1, len(chain.hashes) + 1)
            return chain
        name = segments.path(segment).name
        for line_number, (_, line) in enumerate(segments.lines(segment), 1):
            number = len(chain.hashes) + 1
            found = _checked(line, number, before)
            if isinstance(found, str):
                chain.fault = Fault(found, name, line_number, number)
                return chain
            if number == 1:
                detail = found.get("detail")
                chain.begin = detail if isinstance(detail, dict) else {}
                chain.trail = str(chain.begin.get("trail", ""))
            before = str(found["hash"])
            chain.hashes.append(bytes.fromhex(before))
            chain.places.append((name, line_number))
            take(found)
    if not chain.hashes:
        chain.fault = Fault(f"the audit trail in {segments.folder} is empty", segments.path(1).name, 1, 1)
    return chain


def _checked(line: bytes, number: int, before: str) -> dict[str, object] | str:
    """The record of a line, or what is wrong with it, in words."""
    if not line.endswith(b"\n"):
        return f"record {number} is cut short, by somebody or by a crash, which the next load makes good and tells of"
    found = parse(line[:-1])
    if isinstance(found, str):
        return f"record {number} {found}"
    if found["n"] != number:
        told = found["n"]
        return f"record {number} is missing: record {told} stands in its place"
    if found["prev"] != before:
        return f"record {number} does not follow record {number - 1}: one of them was put in the place of another"
    if (number == 1) != (found["action"] == "trail.begin"):
        return f"record {number} is not how a trail begins" if number == 1 else f"record {number} begins a trail anew"
    return found


def check_checkpoints(chain: Chain, checkpoints: Sequence[Checkpoint | str], where: str) -> Iterator[Fault]:
    """Hold a chain that has no fault of its own, or what is before it, against checkpoints whose signatures are right.

    A chain that was written anew differs from one that was signed: between the last checkpoint that agrees and the
    first that does not.
    """
    instead = chain.begin.get("instead")
    known = {chain.trail, *(map(str, instead) if isinstance(instead, list) else ())}
    ordered = sorted((c for c in checkpoints if not isinstance(c, str)), key=lambda c: c.size)
    for foreign in sorted({c.trail for c in ordered} - known):
        yield Fault(f"{where} tells of the audit trail {foreign}, which is not here: another was put in its place")
    roots, agreed = _roots(chain, {c.size for c in ordered}), 0
    for one in ordered:
        if one.trail != chain.trail:
            continue
        there = len(chain.hashes)
        if one.size > there:
            if chain.fault is None:
                yield Fault(
                    f"record {there + 1} and those after it are gone: {where} tells of {one.size}",
                    *chain.place_of(there),
                    there + 1,
                )
            return
        if roots[one.size].hex() != one.root:
            yield Fault(
                f"records {agreed + 1} to {one.size} are not those that were signed on {one.at}, by {where}",
                *chain.place_of(agreed + 1),
                agreed + 1,
            )
            return
        agreed = one.size


def _roots(chain: Chain, sizes: set[int]) -> dict[int, bytes]:
    """Heads of the trees of so many records."""
    grown, found = Frontier(), {}
    for leaf in chain.hashes:
        grown.append(leaf)
        if grown.size in sizes:
            found[grown.size] = grown.root()
    return found
