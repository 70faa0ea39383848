"""What to make, and what was made."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from schemas.errors import UsageError

# Infrastructure first, then people, then what happens to them: the order in which files are begun.
TYPES = (
    "Organization",
    "Location",
    "Practitioner",
    "PractitionerRole",
    "Medication",
    "Patient",
    "RelatedPerson",
    "Coverage",
    "Encounter",
    "Condition",
    "AllergyIntolerance",
    "Procedure",
    "Immunization",
    "MedicationRequest",
    "MedicationAdministration",
    "Device",
    "ServiceRequest",
    "Specimen",
    "Observation",
    "DiagnosticReport",
    "ImagingStudy",
    "DocumentReference",
    "CareTeam",
    "Goal",
    "CarePlan",
    "Claim",
    "ExplanationOfBenefit",
    "Provenance",
    "Group",
)

_DAY = 86_400
_FIRST_EXPORT = 1_719_792_000  # 2024-07-01T00:00:00Z


@dataclass(frozen=True)
class SynthPlan:
    """What :func:`sources.synth.write_synth` makes: the same plan gives the same bytes everywhere.

    ``patients`` people are made, unless ``size`` asks for about so many bytes in total (before compression):
    then as many as fill it. ``types`` restricts the output to some resource types without changing a byte of
    those. ``observations`` asks for exactly so many Observations, spread evenly over the patients.

    ``dirty`` is the share of lines replaced by a planted fault, ``versions`` the share of resources that come
    again as a later version. ``meta`` False leaves ``meta`` out, as some servers do. ``compress`` is the
    suffix of the files; ``file_bytes`` begins a new file (``Patient.001.ndjson``) before one grows beyond it.

    Raises :class:`schemas.errors.UsageError` for a plan that cannot be carried out.
    """

    patients: int = 100
    seed: int = 1
    size: int | None = None
    types: AbstractSet[str] | None = None
    observations: int | None = None
    dirty: float = 0.0
    versions: float = 0.0
    meta: bool = True
    compress: Literal["gz", "zst"] | None = None
    file_bytes: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be carried out."""
        unknown = sorted(set(self.types or ()) - set(TYPES))
        if unknown:
            raise UsageError(f"no such type to make: {', '.join(unknown)}; there are {', '.join(TYPES)}")
        if self.types is not None and not self.types:
            raise UsageError("no types to make: name at least one, or none for all")
        for name in ("patients", "size", "observations", "file_bytes"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise UsageError(f"{name} is {number}: it must be at least 1")
        for name in ("dirty", "versions"):
            share = getattr(self, name)
            if not 0 <= share <= 1:
                raise UsageError(f"{name} is {share}: it is a share, from 0 to 1")
        if self.seed < 0:
            raise UsageError(f"seed is {self.seed}: it must not be negative")
        if self.size is not None and self.observations is not None:
            raise UsageError("size and observations exclude each other: choose one")
        if self.compress not in (None, "gz", "zst"):
            raise UsageError(f"compress is {self.compress}: it is gz or zst")

    def wanted(self) -> tuple[str, ...]:
        """The types to write, in the order of :data:`TYPES`."""
        return tuple(name for name in TYPES if self.types is None or name in self.types)

    def now(self) -> int:
        """The moment of the export, in epoch seconds: no resource tells of anything later."""
        return _FIRST_EXPORT + self.seed % 365 * _DAY


@dataclass(frozen=True)
class SynthReport:
    """What was written: lines by type (faults included), bytes before compression, and the files' names."""

    patients: int
    lines: Mapping[str, int]
    bytes: int
    files: tuple[Path, ...]
    transaction_time: str
    versions: int = 0
    faults: Mapping[str, int] = field(default_factory=dict)
