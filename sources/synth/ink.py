"""What every renderer writes with: its own stream of numbers, and the ``meta`` of each resource."""

from __future__ import annotations

from random import Random

from sources.synth.clock import DAY, Zone, moment

_CORRECTED = 2 * DAY  # before the export: after this only later versions are written
_VERSIONS = ("1", "1", "1", "1", "1", "2", "2", "3")
_FRACTIONS = ("", ".5", ".139", ".250", ".0", ".123456")


class Ink:
    """A stream of numbers for one type of one patient or region, and whether ``meta`` is written."""

    __slots__ = ("now", "on", "rng")

    def __init__(self, rng: Random, now: int, on: bool) -> None:
        """Write with ``rng`` as of the moment ``now``; ``on`` False leaves ``meta`` out."""
        self.rng = rng
        self.now = now
        self.on = on

    def meta(self, at: int) -> str:
        """``"meta":{...},`` of a resource recorded soon after ``at``, or nothing."""
        version, updated = self.version(at)
        return f'"meta":{{"versionId":"{version}","lastUpdated":"{updated}"}},' if self.on else ""

    def version(self, at: int) -> tuple[str, str]:
        """A versionId and a lastUpdated soon after ``at``."""
        chance = self.rng.random()
        updated = min(at + 60 + int(chance * 40_000), self.now - _CORRECTED)
        zone = Zone.UTC if chance < 0.7 else Zone.EASTERN if chance < 0.9 else Zone.INDIA
        return _VERSIONS[int(chance * 997) % 8], moment(updated, zone, _FRACTIONS[int(chance * 9973) % 6])
