"""Declares the elements of a table in one line each and expands them by their FHIR type.

``field("category", prefer=(OBSERVATION_CATEGORY,))`` is enough: type, repetition, required-ness, reference targets and
required codes come from :mod:`schemas.fhir_types`; what they become is in :mod:`schemas.expand`.
"""

from __future__ import annotations

import functools
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
    times_element,
)
from schemas.fields import ITEM_FIELDS, PRIMARY_FIELDS, SINGLE_FIELDS, Field, field
from schemas.naming import plural, snake, time_stem
from schemas.table import PRESENT, Column, Element, Kind, Mode, Read
from schemas.value_sets import required_codes

__all__ = ["Field", "at", "build", "extension", "field"]

# Elements of data types that tell who a person is or how to reach them.
PHI_PARTS: dict[str, tuple[str, ...]] = {
    "Identifier": ("value",),
    "HumanName": ("text", "family", "given", "prefix", "suffix"),
    "Address": ("text", "line", "city", "district", "postalCode"),
    "ContactPoint": ("value",),
    "Attachment": ("url", "title", "hash"),
}
# A reference called `reasonReference` gives `reason_id`, not `reason_reference_id`.
_REFERENCE_ENDING = "_reference"


def at(
    name: str,
    path: str,
    fhir_type: str,
    *,
    label: str,
    prefer: tuple[str, ...] = (),
    many: bool = False,
    phi: bool = False,
) -> Element:
    """What a FHIRPath leads to, e.g. ``at("npi", "identifier.where(system = '...').value.first()", "string", ...)``.

    ``many`` is for codings only: the path gives several.
    """
    if fhir_type in TIME_TYPES:
        return time_element(name, (path,), fhir_type, label=label, phi=phi)
    if fhir_type in ("Coding", "CodeableConcept"):
        return coding_element(name, path, fhir_type, label=label, prefer=prefer, many=many)
    dtype = PLAIN_DTYPES.get(fhir_type, "VARCHAR")
    reads, columns = [Read(name, (path,), dtype=dtype)], [Column(name, dtype, f"{label}.", path, phi=phi)]
    if fhir_type == "decimal":
        reads.append(Read(f"{name}_literal", (path,), Mode.LITERAL))
        columns.append(Column(f"{name}_literal", "VARCHAR", f"{label}: digits as sent.", path, phi=phi))
    return plain(name, path, fhir_type, reads, columns)


def extension(
    url: str, value: str, name: str, *, label: str, fhir_type: str, many: bool = False, phi: bool = False
) -> Element:
    """A value inside an extension: ``extension(US_CORE + "us-core-birthsex", "value.ofType(code).first()", ...)``."""
    return at(name, f"extension('{url}').{value}", fhir_type, label=label, many=many, phi=phi)


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
    element = place.element
    name = prefix + (declared.name or _called(element, last))
    label = declared.label or name.replace("_", " ").capitalize()
    if declared.json:
        return [_json(name, place.path, label, phi=declared.phi)]
    if element is None:
        return choice_elements(
            name, place.path, place.parent, place.base,
            label=label, prefer=declared.prefer, required="." not in declared.path,
        )  # fmt: skip
    if element.type in TIME_TYPES and not element.many:
        required, phi = _is_required(element, declared), declared.phi or last == "birthDate"
        return [time_element(name, (place.path,), element.type, label=label, required=required, phi=phi)]
    if not element.many:
        inner = declared.fields or SINGLE_FIELDS.get(element.type, ())
        return (
            list(_inside(type_name, declared, inner, name)) if inner else _single(element, place, declared, name, label)
        )
    first = [
        made
        for f in PRIMARY_FIELDS.get(element.type, ())
        for made in _expand(type_name, replace(f, path=f"{declared.path}.{f.path}"), f"{name}_")
    ]
    several = prefix + (declared.plural or plural(declared.name or snake(last)))
    if declared.name and not declared.plural and not first and element.type != "Reference":
        several = name
    return [*first, *_many(element, place, declared, (name, several), label), *_flag(element, declared, place, name)]


def _called(element: fhir_types.Element | None, last: str) -> str:
    """The name of a column, or its stem, unless the declaration gives one."""
    if element is None:
        return snake(last)
    if element.type in TIME_TYPES and not element.many:
        return time_stem(last)
    return snake(last).removesuffix(_REFERENCE_ENDING) if element.type == "Reference" else snake(last)


def _flag(element: fhir_types.Element, declared: Field, place: _Place, name: str) -> list[Element]:
    """The flag that a list which must be there is there; codings bring their own."""
    if element.type in ("CodeableConcept", "Coding") or not _is_required(element, declared):
        return []
    flag = PRESENT + name
    reads = (Read(flag, (place.path,), Mode.PRESENT, "BOOLEAN"),)
    return [Element(flag, place.path, element.type, Kind.PLAIN, reads, (), present=flag)]


def _single(element: fhir_types.Element, place: _Place, declared: Field, name: str, label: str) -> list[Element]:
    path, kind = place.path, element.type
    present = PRESENT + name if _is_required(element, declared) else None
    if kind in ("CodeableConcept", "Coding"):
        codes = required_codes(place.parent, element)
        made = coding_element(name, path, kind, label=label, prefer=declared.prefer, codes=codes, present=present)
        return [_with_present(made, path)]
    if kind == "Reference":
        made = reference_element(name, path, element.targets, label=label, present=present)
        return [_with_present(made, path)]
    if kind in QUANTITY_TYPES:
        return [plain(name, path, kind, *quantity_parts(name, (path,), label=label), quantity=name)]
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
        return [_json(name, path, label, phi=declared.phi)]
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
        phi=_is_phi(declared, place),
    )
    reads, columns = [Read(name, (place.path,), dtype=dtype)], [column]
    if element.type == "decimal":
        reads.append(Read(f"{name}_literal", (place.path,), Mode.LITERAL))
        columns.append(Column(f"{name}_literal", "VARCHAR", f"{label}: digits as sent.", place.path))
    return plain(name, place.path, element.type, reads, columns)


def _is_required(element: fhir_types.Element, declared: Field) -> bool:
    """Required in the row: what stands inside an optional parent is required only where that parent is there."""
    return element.required and "." not in declared.path


def _is_phi(declared: Field, place: _Place) -> bool:
    return declared.phi or place.base in PHI_PARTS.get(place.parent, ())


def _many(
    element: fhir_types.Element, place: _Place, declared: Field, names: tuple[str, str], label: str
) -> list[Element]:
    """A repeated element; ``names`` are those of one and of the list."""
    path, kind = place.path, element.type
    name, several = names
    if kind in TIME_TYPES:
        return [times_element(several, path, kind, snake(place.base), label=label)]
    if kind in ("CodeableConcept", "Coding"):
        present = PRESENT + name if _is_required(element, declared) else None
        made = coding_element(name, path, kind, label=label, many=True, prefer=declared.prefer, present=present)
        return [_with_present(made, path)]
    if fhir_types.is_primitive(kind):
        dtype = PLAIN_DTYPES.get(kind, "VARCHAR") + "[]"
        codes = required_codes(place.parent, element)
        column = Column(name, dtype, f"{label}: all values.", path, codes=codes, phi=_is_phi(declared, place))
        return [plain(name, path, kind, [Read(name, (path,), dtype=dtype)], [column])]
    if kind == "Reference":
        first = reference_element(name, f"{path}.first()", element.targets, label=label)
        item = reference_element(name, "$this", element.targets, label=label)
        return [first, _items(several, path, kind, (item,), declared, label)]
    fields = declared.fields or ITEM_FIELDS.get(kind, ())
    if not fields:
        return [_json(name, path, label, phi=declared.phi)]
    return [_items(several, path, kind, _inner(kind, fields), declared, label)]


@functools.cache
def _inner(kind: str, fields: tuple[Field, ...]) -> tuple[Element, ...]:
    """The elements of the items of a list; the same for every list of one type and declaration."""
    return build(kind, fields)


def _items(name: str, path: str, kind: str, children: tuple[Element, ...], declared: Field, label: str) -> Element:
    reads = tuple(r for child in children for r in child.reads)
    columns = tuple(c for child in children for c in child.columns)
    struct = ", ".join(f'"{c.name}" {c.dtype}' for c in columns)
    phi = declared.phi or kind in PHI_PARTS
    column = Column(name, f"STRUCT({struct})[]", f"{label}: all items, in the order sent.", path, phi=phi)
    return Element(
        name=name,
        path=path,
        fhir_type=kind,
        kind=Kind.ITEMS,
        reads=(Read(name, (path,), Mode.ITEMS, fields=reads),),
        columns=(column,),
        children=children,
        child_table=declared.table,
    )


def _json(name: str, path: str, label: str, *, phi: bool) -> Element:
    column = Column(name, "VARCHAR", f"{label}: the element whole, as JSON.", path, phi=phi)
    return plain(name, path, "json", [Read(name, (path,), Mode.JSON)], [column])


def _with_present(element: Element, path: str) -> Element:
    """Read whether a required complex element is there at all."""
    if element.present is None:
        return element
    present = Read(element.present, (path,), Mode.PRESENT, "BOOLEAN")
    return replace(element, reads=(*element.reads, present))
