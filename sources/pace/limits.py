"""The numbers of flow control."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.errors import UsageError

_FEWEST_TRIES, _MOST_TRIES = 1, 5


@dataclass(frozen=True, slots=True)
class PaceLimits:
    """How one far place is called. Times are seconds.

    ``concurrency``          calls at the same time
    ``rate``                 calls a second, over any longer time; as many may come at once
    ``tries``                1 to 5: of one call, the first among them
    ``first_wait``           the wait before the second try is anything from 0 to this, and twice that before each next
    ``longest_wait``         and never more than this
    ``longest_retry_after``  what a server asks for above this is taken for this
    ``circuit_failures``     failures in a row after which nothing is called for a while
    ``circuit_rest``         that while; then one call probes, and the others wait for what comes of it
    """

    concurrency: int = 4
    rate: float = 20.0
    tries: int = 5
    first_wait: float = 0.5
    longest_wait: float = 30.0
    longest_retry_after: float = 300.0
    circuit_failures: int = 5
    circuit_rest: float = 15.0

    def __post_init__(self) -> None:
        if not _FEWEST_TRIES <= self.tries <= _MOST_TRIES:
            raise UsageError(f"{self.tries} tries: give {_FEWEST_TRIES} to {_MOST_TRIES}")
        for name in ("concurrency", "rate", "longest_wait", "circuit_failures", "circuit_rest"):
            if not getattr(self, name) > 0:
                raise UsageError(f"the limit {name} is {getattr(self, name)}; it must be above 0")
