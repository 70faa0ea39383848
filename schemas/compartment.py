"""Whose a row is: the references of a table, and those among them that say whose data it is.

After the Patient compartment of FHIR R4 (http://hl7.org/fhir/R4/compartmentdefinition-patient.html): a row belongs to
the patient that its `subject` or `patient` is (the elements that fill `patient_id`); one that tells no such patient
belongs to whoever it refers to, if that is one person alone. Members of a Group belong to nobody.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

from schemas.suppression import PERSON
from schemas.table import Element, Kind, Table

SHARED_TYPES = ("Group",)  # of many people: who is taken out of one leaves the rest
TARGETS = "target"  # of a Provenance: it is about all of them
# The elements of types without a table that say whose a resource is (the search parameters of the compartment).
SUBJECTS = ("subject", "patient", "beneficiary", "for", "individual", "sourcePatientInfo", "candidate", "policyHolder")


@dataclass(frozen=True, slots=True)
class Link:
    """One reference of a table. ``lists`` are the columns or fields that hold it, the outermost first; none: it stands
    in the row. ``type`` is the column of its type, ``fixed`` its type where only one is meant.
    """

    element: str
    lists: tuple[str, ...]
    id: str
    type: str | None
    fixed: str | None
    text: str
    columns: tuple[str, ...]
    subject: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of a row that are read to find out what it refers to."""
        return self.lists[:1] or tuple(name for name in (self.id, self.type, self.text) if name)


@functools.cache
def links(table: Table) -> tuple[Link, ...]:
    """All references of a table."""
    return tuple(_links(table.elements, ()))


def _links(elements: tuple[Element, ...], lists: tuple[str, ...]) -> Iterator[Link]:
    for element in elements:
        if element.kind is Kind.ITEMS:
            yield from _links(element.children, (*lists, element.columns[0].name))
        elif element.kind is Kind.REFERENCE:
            yield from _of(element, lists)


def _of(element: Element, lists: tuple[str, ...]) -> Iterator[Link]:
    names = tuple(column.name for column in element.columns)
    text = f"{element.name}_reference"
    types = [name for name in (f"{element.name}_reference_type", f"{element.name}_type") if name in names]
    ours = element.patient is not None and not lists
    if element.patient is not None:
        yield Link(element.name, lists, element.patient, None, PERSON, text, names, ours)
    own = f"{element.name}_id"
    if own in names and own != element.patient:
        fixed = None if types else (element.targets[0] if element.targets else None)
        yield Link(element.name, lists, own, types[0] if types else None, fixed, text, names)
