"""A region: the hospital, clinics, people and insurers that up to 500 patients share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from sources.synth.clock import Zone
from sources.synth.draws import REGION, pick, stream, uuid
from sources.synth.plan import TYPES
from sources.synth.render import reference
from sources.synth.vocabulary import names

PATIENTS = 500  # by region


@dataclass(frozen=True, slots=True)
class Place:
    """An organization that treats: its number, its clock, and the number of its location."""

    organization: int
    location: int
    zone: Zone


HOSPITAL = Place(0, 0, Zone.EASTERN)
EMERGENCY = Place(0, 1, Zone.EASTERN)
WARD = Place(0, 2, Zone.EASTERN)
CLINICS = (Place(1, 3, Zone.EASTERN), Place(2, 4, Zone.UTC))
REMOTE = Place(3, 5, Zone.INDIA)
LABORATORY = 4
INSURERS = (5, 6, 7)
PRACTITIONERS = 8


@dataclass(frozen=True, slots=True)
class Region:
    """One region; ``organizations`` and ``practitioners`` are names, in the order of their numbers."""

    number: int
    bases: Mapping[str, int]
    organizations: tuple[str, ...]
    practitioners: tuple[tuple[str, str], ...]  # given, family
    city: tuple[str, str, str]  # city, state, postal code

    def uid(self, kind: str, number: int) -> str:
        """The id of the region's ``number``-th resource of a type."""
        return uuid(self.bases[kind], number)

    def ref(self, kind: str, number: int) -> str:
        """A Reference to it, with the name of a practitioner or organization as its display."""
        display = ""
        if kind == "Organization":
            display = self.organizations[number]
        elif kind == "Practitioner":
            display = "Dr. " + " ".join(self.practitioners[number])
        return reference(kind, self.uid(kind, number), display)


def region(seed: int, number: int) -> Region:
    """The ``number``-th region of a seed."""
    rng = stream(seed, REGION, number)
    city, state, postal = pick(rng, names("city")).split("|")
    people = tuple(
        (pick(rng, names(("female", "male")[i % 2])), pick(rng, names("family"))) for i in range(PRACTITIONERS)
    )
    organizations = (
        f"{city} Medical Center",
        f"{city} Family Practice",
        "Clínica San Martín",
        "TeleCare Partners",
        f"{state} Reference Laboratory",
        "Commonwealth Mutual",
        "Blue Harbor Health Plan",
        "Medicare",
    )
    return Region(number, bases(rng), organizations, people, (city, state, postal))


def bases(rng: Random) -> Mapping[str, int]:
    """One 128-bit beginning of identifiers for each resource type."""
    return {kind: rng.getrandbits(128) for kind in TYPES}
