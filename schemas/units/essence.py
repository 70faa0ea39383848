"""The prefixes and unit atoms of UCUM, read from the unmodified `ucum-essence.xml` (notice: `UCUM_LICENSE.md`)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from fractions import Fraction
from importlib.resources import files
from xml.etree import ElementTree

_SPACE = "{http://unitsofmeasure.org/ucum-essence}"


@dataclass(frozen=True, slots=True)
class Atom:
    """A unit atom (UCUM 2.1): ``factor`` times ``unit``; with a ``function`` it is special (UCUM 4.2), and then a
    number on its scale means ``function`` inverted, times ``factor``, times ``unit``.
    """

    code: str
    metric: bool  # takes prefixes
    base: bool = False
    arbitrary: bool = False
    function: str = ""
    factor: Fraction = Fraction(1)
    unit: str = "1"


@dataclass(frozen=True, slots=True)
class Essence:
    """Everything by its case sensitive code."""

    prefixes: dict[str, Fraction]
    atoms: dict[str, Atom]


@functools.cache
def essence() -> Essence:
    """UCUM's tables, read once."""
    with (files("schemas.units") / "ucum-essence.xml").open("rb") as file:
        root = ElementTree.parse(file).getroot()  # noqa: S314 (a file of this package, not input)
    prefixes = {p.attrib["Code"]: Fraction(_value(p).attrib["value"]) for p in root.iter(f"{_SPACE}prefix")}
    bases = [Atom(u.attrib["Code"], metric=True, base=True) for u in root.iter(f"{_SPACE}base-unit")]
    atoms = [*bases, *(_atom(u) for u in root.iter(f"{_SPACE}unit"))]
    return Essence(prefixes, {atom.code: atom for atom in atoms})


def _atom(unit: ElementTree.Element) -> Atom:
    value = _value(unit)
    function = value.find(f"{_SPACE}function")
    says = value if function is None else function
    return Atom(
        code=unit.attrib["Code"],
        metric=unit.attrib["isMetric"] == "yes",
        arbitrary=unit.get("isArbitrary") == "yes",
        function="" if function is None else function.attrib["name"],
        factor=Fraction(says.attrib["value"]),
        unit=says.attrib["Unit"],
    )


def _value(element: ElementTree.Element) -> ElementTree.Element:
    value = element.find(f"{_SPACE}value")
    assert value is not None, "every prefix and unit of ucum-essence has a value"
    return value
