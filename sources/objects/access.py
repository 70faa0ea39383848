"""What is needed to reach object stores, told by whoever reads the environment."""

from __future__ import annotations

from dataclasses import dataclass, field

from sources.pace.limits import PaceLimits

# Reads are small and many, and stores are made for that: S3 gives 5,500 reads a second for each prefix.
PACE = PaceLimits(
    concurrency=8, rate=500.0, tries=5, first_wait=0.2, longest_wait=10.0, circuit_failures=10, circuit_rest=5.0
)


@dataclass(frozen=True, slots=True)
class ObjectAccess:
    """``environment``: the variables of the stores (``AWS_*``, ``GOOGLE_*``, ``AZURE_*``), as obstore reads them.

    ``instance_identity``: whether the metadata server of the machine may be asked who it is; no other setting makes a
    call to an address that nobody named. ``pace``: how a store is called. ``patience``: seconds for one read with all
    its tries. Nothing of it is shown when it is printed.
    """

    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    instance_identity: bool = False
    pace: PaceLimits = PACE
    patience: float = 120.0

    def variable(self, *names: str) -> str | None:
        """The first of these variables that is set and not empty."""
        known = dict(self.environment)
        return next((known[name] for name in names if known.get(name)), None)

    def is_on(self, *names: str) -> bool:
        """True when one of these variables says so."""
        return (self.variable(*names) or "").strip().lower() in ("1", "true", "yes", "on")
