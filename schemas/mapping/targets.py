"""Which columns of a table a mapping can fill, and where their values stand in the FHIR resource that a row is.

Targets have the names of the mart's columns. A time is one target, called like its columns (``effective``,
``effective_at`` and ``effective_date`` are the same); ids of referred rows are written without their type; ``value`` of
a result takes a number, a bounded number (``<0.01``) or a text, whatever it is.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from schemas import fhir_types
from schemas.table import LITERAL_MARK, MAPPED, MAPPED_SYSTEM, Element, Kind, Mode, Read, Table

Steps = tuple[tuple[str, str], ...]  # JSON keys, each with the name of the item it is in; "" where it is no list


class Value(StrEnum):
    """What the text of a target must be."""

    TEXT = "text"
    NUMBER = "number"  # a decimal
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TIME = "time"
    REFERENCE = "reference"  # id of another row
    TYPE = "type"  # resource type that a reference is to
    RESULT = "result"  # a number, a bound or a text


@dataclass(frozen=True, slots=True)
class Target:
    """``steps`` lead to the value in the resource. ``to``: the type that a reference is to; empty when the target
    ``type_name`` says it, which must be one of ``types``. ``fhir_type`` is that of the value. ``with_item``: constants
    that stand beside the value in its list item, as pairs of steps and text. ``comparator`` and ``text``: where a bound
    and a text of a result go.
    """

    name: str
    value: Value
    steps: Steps
    fhir_type: str
    to: str = ""
    type_name: str = ""
    types: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    with_item: tuple[tuple[Steps, str], ...] = ()
    comparator: Steps = ()
    text: Steps = ()


@functools.cache
def targets_of(table: Table) -> MappingProxyType[str, Target]:
    """The targets of a table by name; the first name of each is the one to show."""
    found: dict[str, Target] = {}
    for element in table.elements:
        for target in _of_element(table, element):
            for name in (target.name, *_also(target, element)):
                found.setdefault(name, target)
    for name, target in _SPECIAL.get(table.resource_type, {}).items():
        found[name] = target
    number, text = found.get("value_number"), found.get("value_text")
    if number is not None and text is not None and number.comparator:
        found["value"] = Target(
            "value", Value.RESULT, number.steps, "decimal", comparator=number.comparator, text=text.steps
        )
    return MappingProxyType(found)


def unit_target(name: str) -> str:
    """The target that takes the unit of a number."""
    return f"{name.removesuffix('_number')}_unit"


_PATH = re.compile(r"[A-Za-z]+(?:\.first\(\))?(?:\.[A-Za-z]+(?:\.first\(\))?)*")
_FIRST = "0"  # name of the item that is first in a list
_VALUES = {"decimal": Value.NUMBER, "boolean": Value.BOOLEAN} | dict.fromkeys(
    ("integer", "positiveInt", "unsignedInt"), Value.INTEGER
)
_NOT_OF_ROWS = ("meta", "implicitRules")  # elements that are of the resource's exchange, not of what it tells
_CONCEPTS = ("CodeableConcept", "Coding")


def _of_element(table: Table, element: Element) -> list[Target]:
    kind = table.resource_type
    if element.kind is Kind.REFERENCE:
        return _references(kind, element)
    if element.kind is Kind.CODING:
        return _codes(kind, element)
    made = []
    for read in element.reads:
        if read.mode is not Mode.VALUE or read.name.endswith(LITERAL_MARK) or "~" in read.name:
            continue
        if read.paths[0].startswith(_NOT_OF_ROWS):
            continue
        place = _place(kind, read.paths[0])
        if place is None or not fhir_types.is_primitive(place[1]):
            continue
        steps, of = place
        if element.kind is Kind.TIME:
            made.append(Target(f"{read.name}_at" if read.name == "value" else read.name, Value.TIME, steps, of))
        else:
            comparator = _beside(kind, element, read)
            codes = next((c.codes for c in element.columns if c.name == read.name), ())
            made.append(Target(read.name, _VALUES.get(of, Value.TEXT), steps, of, codes=codes, comparator=comparator))
    return made


def _also(target: Target, element: Element) -> tuple[str, ...]:
    if target.value is not Value.TIME:
        return ()
    return f"{element.name}_at", f"{element.name}_date"


def _beside(kind: str, element: Element, read: Read) -> Steps:
    """Where the comparator of a number stands."""
    name = read.name.removesuffix("_number") + "_comparator"
    other = next((r for r in element.reads if r.name == name and read.name.endswith("_number")), None)
    place = None if other is None else _place(kind, other.paths[0])
    return () if place is None else place[0]


def _references(kind: str, element: Element) -> list[Target]:
    path = element.reads[0].paths[0].removesuffix(".reference")
    place = _place(kind, path)
    if place is None:
        return []
    steps, name = place[0], element.name
    reference, display = (*steps, ("reference", "")), (*steps, ("display", ""))
    made = [Target(f"{name}_display", Value.TEXT, display, "string")]
    columns = {c.name for c in element.columns}
    for column, to in ((element.patient, "Patient"), (element.encounter, "Encounter")):
        if column:
            made.append(Target(column, Value.REFERENCE, reference, "string", to=to))
    if f"{name}_id" in columns - {element.patient, element.encounter}:
        if len(element.targets) == 1:
            made.append(Target(f"{name}_id", Value.REFERENCE, reference, "string", to=element.targets[0]))
        else:
            typed = next(t for t in (f"{name}_reference_type", f"{name}_type") if t in columns)
            made.append(Target(f"{name}_id", Value.REFERENCE, reference, "string", type_name=typed))
            made.append(Target(typed, Value.TYPE, (), "code", types=element.targets))
    return made


def _codes(kind: str, element: Element) -> list[Target]:
    place = _place(kind, element.reads[0].paths[0])
    if place is None or place[1] not in _CONCEPTS or place[0][0][0] in _NOT_OF_ROWS:
        return []
    steps, of = place
    code = element.columns[0].name
    coding = steps if of == "Coding" else (*steps, ("coding", _FIRST))
    made = [
        Target(code, Value.TEXT, (*coding, ("code", "")), "code", codes=element.columns[0].codes),
        Target(f"{code}_system", Value.TEXT, (*coding, ("system", "")), "uri"),
        Target(f"{code}_display", Value.TEXT, (*coding, ("display", "")), "string"),
    ]
    texts = [c.name for c in element.columns if c.name.endswith("_text")]
    if of == "CodeableConcept" and texts:
        made.append(Target(texts[0], Value.TEXT, (*steps, ("text", "")), "string"))
    return [target for target in made if not target.name.endswith((MAPPED, MAPPED_SYSTEM))]


def _place(kind: str, path: str) -> tuple[Steps, str] | None:
    """The steps of a simple FHIRPath and the type at its end; None for a path that is not simple."""
    if not _PATH.fullmatch(path):
        return None
    steps: list[tuple[str, str]] = []
    for name in path.replace(".first()", "").split("."):
        element = fhir_types.element(kind, name)
        if element is None:
            return None
        steps.append((name, _FIRST if element.many else ""))
        kind = element.type
    return tuple(steps), kind


_TYPE_OF_IDENTIFIER = "http://terminology.hl7.org/CodeSystem/v2-0203"


def _mrn() -> Target:
    item = ("identifier", "mrn")
    coding = (item, ("type", ""), ("coding", _FIRST))
    marks = (((*coding, ("system", "")), _TYPE_OF_IDENTIFIER), ((*coding, ("code", "")), "MR"))
    return Target("mrn", Value.TEXT, (item, ("value", "")), "string", with_item=marks)


def _mrn_system() -> Target:
    return Target("mrn_system", Value.TEXT, (("identifier", "mrn"), ("system", "")), "uri")


def _contact(name: str) -> Target:
    item = ("telecom", name)
    return Target(name, Value.TEXT, (item, ("value", "")), "string", with_item=(((item, ("system", "")), name),))


_SPECIAL = {
    "Patient": {
        "mrn": _mrn(),
        "mrn_system": _mrn_system(),
        "phone": _contact("phone"),
        "email": _contact("email"),
    }
}
