"""A patient's life as facts: what happened, when and where. The types' modules write it down as resources.

Every fact carries its number within its type, from which its id follows, so that any resource can refer to
any other without either having been written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sources.synth.clock import DAY, YEAR
from sources.synth.draws import uuid
from sources.synth.measures import Analyte, Panel
from sources.synth.region import Place, Region
from sources.synth.render import reference
from sources.synth.vocabulary import Allergen, Diagnosis, Drug, Operation, Vaccine


@dataclass(frozen=True, slots=True)
class Problem:
    """A diagnosis and the visit that recorded it.

    ``onset`` and ``ended`` are days; of the onset's text ``digits`` are known: 10 (a day), 7 (a month), 4.
    """

    number: int
    diagnosis: Diagnosis
    onset: int
    digits: int
    ended: int | None
    visit: int


@dataclass(frozen=True, slots=True)
class Visit:
    """An encounter; ``kind`` is its v3-ActCode (AMB, EMER, IMP, VR), ``problem`` the number of its reason."""

    number: int
    kind: str
    start: int
    end: int
    place: Place
    practitioner: int
    problem: int | None


@dataclass(frozen=True, slots=True)
class Run:
    """Analytes measured together: they are Observations ``first``, ``first + 1`` and so on.

    ``report`` numbers their DiagnosticReport, if they have one.
    """

    panel: Panel
    analytes: tuple[Analyte, ...]
    at: int
    visit: int
    first: int
    report: int | None


@dataclass(frozen=True, slots=True)
class Act:
    """A procedure done."""

    number: int
    operation: Operation
    start: int
    end: int
    visit: int
    problem: int | None


@dataclass(frozen=True, slots=True)
class Prescription:
    """A drug ordered; ``doses`` are the moments at which it was given on the spot.

    These are MedicationAdministrations ``first``, ``first + 1`` and so on.
    """

    number: int
    drug: Drug
    at: int
    visit: int
    problem: int
    doses: tuple[int, ...]
    first: int


@dataclass(frozen=True, slots=True)
class Shot:
    """A vaccine given."""

    number: int
    vaccine: Vaccine
    at: int
    visit: int


@dataclass(frozen=True, slots=True)
class Life:
    """A patient and all that happened. Days and moments as in :mod:`sources.synth.clock`."""

    index: int
    seed: int
    now: int
    region: Region
    bases: Mapping[str, int]
    female: bool
    given: str
    family: str
    born: int
    died: int | None
    insurer: int
    problems: tuple[Problem, ...]
    visits: tuple[Visit, ...]
    runs: tuple[Run, ...]
    acts: tuple[Act, ...]
    prescriptions: tuple[Prescription, ...]
    shots: tuple[Shot, ...]
    allergies: tuple[Allergen, ...]

    def uid(self, kind: str, number: int = 0) -> str:
        """The id of the patient's ``number``-th resource of a type."""
        return uuid(self.bases[kind], number)

    def ref(self, kind: str, number: int = 0, display: str = "") -> str:
        """A Reference to it."""
        return reference(kind, uuid(self.bases[kind], number), display)

    @property
    def name(self) -> str:
        """Given and family name."""
        return f"{self.given} {self.family}"

    def age(self, at: int) -> float:
        """Age in years at a moment."""
        return (at / DAY - self.born) / YEAR
