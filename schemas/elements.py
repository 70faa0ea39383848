"""Declares the elements of a table in one line each and expands them by their FHIR type.

``field("category", prefer=(OBSERVATION_CATEGORY,))`` is enough: type, repetition, required-ness, reference targets and
required codes come from :mod:`schemas.fhir_types`; what they become is in :mod:`schemas.expand`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from schemas import fhir_types
from schemas.choice import choice_elements
from schemas.errors import UsageError
from schemas.expand import (
    PLAIN_DTYPES,
    QUANTITY_TYPES,
    TIME_TYPES,
    bounds_parts,
    coding_element,
    money_parts,
    plain,
    quantity_parts,
    reference_element,
    time_element,
)
from schemas.naming import plural, snake, time_stem
from schemas.table import PRESENT, Column, Element, Kind, Mode, Read
from schemas.value_sets import required_codes


@dataclass(frozen=True, slots=True)
class Field:
    """One declared element. ``path`` is the JSON name, dotted through parents, or the base of a choice (``value``)."""

    path: str
    name: str | None = None
    label: str | None = None
    prefer: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()  # of a backbone element
    table: str | None = None  # child table, one row per item
    json: bool = False
    phi: bool = False
    minimum: float | None = None
    plural: str | None = None  # name of the list of all items


def field(
    path: str,
    *fields: str | Field,
    name: str | None = None,
    label: str | None = None,
    prefer: tuple[str, ...] = (),
    table: str | None = None,
    json: bool = False,
    phi: bool = False,
    minimum: float | None = None,
    plural: str | None = None,
) -> Field:
    """Declare one element; ``fields`` are those of a backbone element, by name or declared themselves."""
    inner = tuple(f if isinstance(f, Field) else Field(f) for f in fields)
    return Field(path, name, label, prefer, inner, table, json, phi, minimum, plural)


def extension(url: str, value: str, name: str, *, label: str, fhir_type: str) -> Element:
    """A value inside an extension, e.g. ``extension(US_CORE + "us-core-birthsex", "value.ofType(code)", ...)``."""
    path = f"extension('{url}').{value}"
    if fhir_type == "Coding":
        return coding_element(name, path, fhir_type, label=label)
    return plain(name, path, fhir_type, [Read(name, (path,))], [Column(name, "VARCHAR", f"{label}.", path)])


# What the items of repeated data types hold.
ITEM_FIELDS: dict[str, tuple[str | Field, ...]] = {
    "Identifier": ("use", field("type"), "system", "value"),
    "HumanName": ("use", "text", "family", "given", "prefix", "suffix"),
    "Address": ("use", "type", "text", "line", "city", "district", "state", "postalCode", "country"),
    "ContactPoint": ("system", "value", "use", "rank"),
    "Annotation": ("text", "time"),
    "Attachment": ("contentType", "language", "url", "title", "size", "hash", "creation"),
    "Period": ("start", "end"),
    "Dosage": (
        "sequence",
        "text",
        "patientInstruction",
        field("timing.code", name="timing_code"),
        field("timing.repeat.frequency", name="frequency"),
        field("timing.repeat.period", name="period"),
        field("timing.repeat.periodUnit", name="period_unit"),
        field("timing", name="timing_json", json=True),
        "asNeeded",
        "site",
        "route",
        "method",
        field("doseAndRate.dose", name="dose"),
        field("doseAndRate.rate", name="rate"),
        field("maxDosePerPeriod", name="max_dose_per_period"),
    ),
}
# What stands in the row for the first item of a repeated data type.
PRIMARY_FIELDS: dict[str, tuple[str, ...]] = {
    "Identifier": ("system", "value"),
    "HumanName": ("use", "text", "family", "given"),
    "Address": ("line", "city", "district", "state", "postalCode", "country"),
    "Annotation": ("text",),
    "Attachment": ("contentType", "url", "title"),
    "Dosage": ("text",),
}
PHI_TYPES = ("HumanName", "Address", "ContactPoint", "Identifier")
SINGLE_FIELDS: dict[str, tuple[str, ...]] = {
    "Identifier": ("system", "value"),
    "HumanName": ("text", "family", "given"),
    "Address": ("line", "city", "district", "state", "postalCode", "country"),
    "Attachment": ("contentType", "url", "title", "size"),
    "Annotation": ("text",),
    "ContactPoint": ("system", "value"),
}


def build(type_name: str, fields: Sequence[str | Field | Element], prefix: str = "") -> tuple[Element, ...]:
    """The elements of a table or of the items of a list, in declared order; UsageError for what R4 does not have."""
    elements: list[Element] = []
    for declared in fields:
        if isinstance(declared, Element):
            elements.append(declared)
        else:
            one = Field(declared) if isinstance(declared, str) else declared
            elements += _expand(type_name, one, prefix)
    return tuple(elements)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a declared path leads: FHIRPath, type and repetition of its last element."""

    path: str
    parent: str
    element: fhir_types.Element | None  # None for a choice
    base: str


def _walk(type_name: str, declared: str) -> _Place:
    """Follow a dotted path through the types; a repeated parent means its first item."""
    *parents, last = declared.split(".")
    path, current = "", type_name
    for step in parents:
        element = fhir_types.element(current, step)
        if element is None:
            raise UsageError(f"{type_name}.{declared}: {current} has no element {step!r} in FHIR R4")
        path += step + (".first()." if element.many else ".")
        current = element.type
    element = fhir_types.element(current, last)
    if element is None and not fhir_types.choices(current, last):
        raise UsageError(f"{type_name}.{declared}: {current} has no element {last!r} in FHIR R4")
    return _Place(path + last, current, element, last)


def _expand(type_name: str, declared: Field, prefix: str) -> list[Element]:
    place = _walk(type_name, declared.path)
    last = declared.path.rsplit(".", 1)[-1]
    name = prefix + (declared.name or snake(last))
    label = declared.label or name.replace("_", " ").capitalize()
    if declared.json:
        return [_json(name, place.path, label)]
    if place.element is None:
        return choice_elements(name, place.path, place.parent, place.base, label=label, prefer=declared.prefer)
    element = place.element
    if element.type in TIME_TYPES and not element.many:
        stem = prefix + (declared.name or time_stem(last))
        phi = element.type == "date" and last == "birthDate"
        return [
            time_element(
                stem, (place.path,), element.type, label=label, required=_is_required(element, declared), phi=phi
            )
        ]
    if element.type in SINGLE_FIELDS or (declared.fields and not element.many):
        inner = declared.fields or tuple(Field(f) for f in SINGLE_FIELDS[element.type])
        if not element.many:
            return list(_inside(type_name, declared, inner, name))
    if element.many:
        first = [
            made
            for f in PRIMARY_FIELDS.get(element.type, ())
            for made in _expand(type_name, Field(f"{declared.path}.{f}"), f"{name}_")
        ]
        return [*first, *_many(element, place, declared, name, label, primary=bool(first))]
    return _single(element, place, declared, name, label)


def _single(element: fhir_types.Element, place: _Place, declared: Field, name: str, label: str) -> list[Element]:
    path, kind = place.path, element.type
    present = PRESENT + name if _is_required(element, declared) else None
    if kind in ("CodeableConcept", "Coding"):
        made = coding_element(name, path, kind, label=label, prefer=declared.prefer, present=present)
        return [_with_present(made, path)]
    if kind == "Reference":
        made = reference_element(name, path, element.targets, label=label, present=present)
        return [_with_present(made, path)]
    if kind in QUANTITY_TYPES:
        return [plain(name, path, kind, *quantity_parts(name, (path,), label=label))]
    if kind == "Money":
        return [plain(name, path, kind, *money_parts(name, (path,), label=label))]
    if kind == "Range":
        return [plain(name, path, kind, *bounds_parts(name, path, ("low", "high"), ("low", "high"), label=label))]
    if kind == "Ratio":
        ends = ("numerator", "denominator")
        return [plain(name, path, kind, *bounds_parts(name, path, ends, ends, label=label))]
    if kind == "Period":
        return [
            time_element(f"{name}_{end}", (f"{path}.{end}",), "dateTime", label=f"{label} {end}")
            for end in ("start", "end")
        ]
    if not fhir_types.is_primitive(kind):
        return [_json(name, path, label)]
    return [_primitive(element, place, declared, name, label)]


def _inside(type_name: str, declared: Field, fields: tuple[Field, ...], name: str) -> Iterator[Element]:
    """The fields of a single complex element, their columns called after it."""
    for one in fields:
        yield from _expand(type_name, replace(one, path=f"{declared.path}.{one.path}"), f"{name}_")


def _primitive(element: fhir_types.Element, place: _Place, declared: Field, name: str, label: str) -> Element:
    dtype = PLAIN_DTYPES.get(element.type, "VARCHAR")
    codes = required_codes(place.parent, element)
    minimum = declared.minimum
    if minimum is None:
        minimum = {"positiveInt": 1, "unsignedInt": 0}.get(element.type)
    column = Column(
        name,
        dtype,
        f"{label}.",
        place.path,
        _is_required(element, declared),
        codes,
        minimum,
        phi=declared.phi or place.parent in PHI_TYPES,
    )
    reads, columns = [Read(name, (place.path,), dtype=dtype)], [column]
    if element.type == "decimal":
        reads.append(Read(f"{name}_literal", (place.path,), Mode.LITERAL))
        columns.append(Column(f"{name}_literal", "VARCHAR", f"{label}: digits as sent.", place.path))
    return plain(name, place.path, element.type, reads, columns)


def _is_required(element: fhir_types.Element, declared: Field) -> bool:
    """Required in the row: what stands inside an optional parent is required only where that parent is there."""
    return element.required and "." not in declared.path


def _many(
    element: fhir_types.Element, place: _Place, declared: Field, name: str, label: str, *, primary: bool
) -> list[Element]:
    path, kind = place.path, element.type
    if kind in ("CodeableConcept", "Coding"):
        present = PRESENT + name if _is_required(element, declared) else None
        made = coding_element(name, path, kind, label=label, many=True, prefer=declared.prefer, present=present)
        return [_with_present(made, path)]
    if fhir_types.is_primitive(kind):
        dtype = PLAIN_DTYPES.get(kind, "VARCHAR") + "[]"
        column = Column(name, dtype, f"{label}: all values.", path)
        return [plain(name, path, kind, [Read(name, (path,), dtype=dtype)], [column])]
    if kind == "Reference":
        first = reference_element(name, f"{path}.first()", element.targets, label=label)
        item = reference_element(name, "$this", element.targets, label=label)
        return [first, _items(declared.plural or plural(name), path, kind, (item,), declared.table, label)]
    fields = declared.fields or tuple(f if isinstance(f, Field) else Field(f) for f in ITEM_FIELDS.get(kind, ()))
    if not fields:
        return [_json(name, path, label)]
    called = declared.plural or (plural(name) if primary or not declared.name else name)
    return [_items(called, path, kind, build(kind, fields), declared.table, label)]


def _items(
    name: str, path: str, kind: str, children: tuple[Element, ...], child_table: str | None, label: str
) -> Element:
    reads = tuple(r for child in children for r in child.reads)
    columns = tuple(c for child in children for c in child.columns)
    struct = ", ".join(f'"{c.name}" {c.dtype}' for c in columns)
    column = Column(name, f"STRUCT({struct})[]", f"{label}: all items, in the order sent.", path, phi=kind in PHI_TYPES)
    return Element(
        name=name,
        path=path,
        fhir_type=kind,
        kind=Kind.ITEMS,
        reads=(Read(name, (path,), Mode.ITEMS, fields=reads),),
        columns=(column,),
        children=children,
        child_table=child_table,
    )


def _json(name: str, path: str, label: str) -> Element:
    column = Column(name, "VARCHAR", f"{label}: the element whole, as JSON.", path)
    return plain(name, path, "json", [Read(name, (path,), Mode.JSON)], [column])


def _with_present(element: Element, path: str) -> Element:
    """Read whether a required complex element is there at all."""
    if element.present is None:
        return element
    present = Read(element.present, (path,), Mode.PRESENT, "BOOLEAN")
    return replace(element, reads=(*element.reads, present))
