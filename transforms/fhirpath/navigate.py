"""From a typed node to the next: children, choices, types, single items, existence."""

from __future__ import annotations

import difflib

from schemas import fhir_types
from transforms.fhirpath.context import Context
from transforms.fhirpath.tree import (
    EMPTY,
    Choice,
    Field,
    Filter,
    Here,
    Item,
    Pick,
    Single,
    Some,
    Template,
    Typed,
    Value,
    Variable,
    kind,
)

NOTHING = Value(EMPTY, False, None, "NULL", "")

# What a type is derived from, where paths may name the base (FHIR R4 2.24, 2.1.27).
_BASES = {
    "code": "string", "id": "string", "markdown": "string",
    "url": "uri", "canonical": "uri", "oid": "uri", "uuid": "uri",
    "positiveInt": "integer", "unsignedInt": "integer",
    "Age": "Quantity", "Count": "Quantity", "Distance": "Quantity", "Duration": "Quantity",
}  # fmt: skip


def member(of: Typed, name: str, at: int, context: Context) -> Typed:
    """The child ``name`` of every item of ``of``. Raises PathError when the type has no such element."""
    if isinstance(of, Choice):
        return _member_of_choice(of, name, at, context)
    if of.type == EMPTY:
        return NOTHING
    if fhir_types.is_primitive(of.type):
        return _member_of_primitive(of, name, at, context)
    element = fhir_types.element(of.type, name)
    if element is not None:
        return field(of, name, element.type, element.many)
    options = fhir_types.choices(of.type, name)
    if not options:
        raise context.error(at, _no_element(of.type, name))
    return Choice(EMPTY, of.many, None, of, name, options)


def field(of: Typed, key: str, type_name: str, repeats: bool) -> Field:
    """The node of a JSON key of ``of``, which is read from now on."""
    if of.shape is None:
        raise TypeError(f"{of.type} is no JSON value, so {key!r} cannot be read from it")
    shape = of.shape.child(key, type_name, repeats)
    return Field(type_name, of.many or repeats, shape, of, key, repeats)


def of_type(of: Typed, type_name: str, at: int, context: Context) -> Typed:
    """The items of ``of`` that have the type; of a choice its element of that type."""
    if of.type == EMPTY and not isinstance(of, Choice):
        return NOTHING
    if not fhir_types.is_type(type_name) and type_name not in ("DomainResource", "BackboneElement"):
        raise context.error(at, f"FHIR R4 has no type {type_name!r}")
    if isinstance(of, Choice):
        for option in of.options:
            if option.type == type_name:
                return field(of.of, option.name, option.type, False)
        offered = ", ".join(option.type for option in of.options)
        raise context.error(at, f"{of.base}[x] is never a {type_name}; it may be: {offered}")
    if of.type == "Resource" and type_name in fhir_types.resource_types():
        variable = Variable()
        item = Item("Resource", False, of.shape, variable)
        tag = field(item, "resourceType", "code", False)
        criteria = Template("boolean", False, None, f"({{0}} = '{type_name}')", (tag,))
        return Filter(type_name, of.many, of.shape, of, variable, criteria)
    if not is_a(of.type, type_name):
        raise context.error(at, f"{of.type} is never a {type_name}")
    return of


def is_a(type_name: str, base: str) -> bool:
    """True when every value of ``type_name`` is one of ``base`` too."""
    if base in (type_name, _BASES.get(type_name), "Element"):
        return True
    if base in ("Resource", "DomainResource"):
        return type_name in fhir_types.resource_types()
    return base == "BackboneElement" and "." in type_name


def valued(of: Typed, at: int, context: Context) -> Typed:
    """``of``, unless it is a choice of which no type was picked: that has no single SQL type."""
    if isinstance(of, Choice):
        offered = ", ".join(option.type for option in of.options)
        raise context.error(at, f"{of.base}[x] may have several types: pick one with ofType(), of: {offered}")
    return of


def single(of: Typed, at: int, context: Context) -> Typed:
    """``of`` as one item: of a collection the only one (several are an error at run time)."""
    valued(of, at, context)
    return Single(of.type, False, of.shape, of, context.path) if of.many else of


def pick(of: Typed, index: int | Typed, at: int, context: Context) -> Typed:
    """One item: ``index`` counts from 1, or -1 is the last; a Typed index counts from 0."""
    if isinstance(of, Choice) and not of.many and index in (1, -1):
        return of
    valued(of, at, context)
    if of.many:
        return Pick(of.type, False, of.shape, of, index)
    if isinstance(index, Typed):
        return Template(of.type, False, of.shape, "CASE WHEN {1} = 0 THEN {0} END", (of, index))
    return of if index in (1, -1) else NOTHING


def some(of: Typed, negated: bool = False) -> Typed:
    """True when ``of`` has an item (``negated``: none): never empty itself."""
    if not isinstance(of, Choice):
        return Some("boolean", False, None, of, negated)
    if of.many:
        return Some("boolean", False, None, present(of), negated)
    sql = " OR ".join(f"{{{i}}}" for i in range(len(of.options)))
    parts = tuple(some(field(of.of, option.name, option.type, False)) for option in of.options)
    return Template("boolean", False, None, f"NOT ({sql})" if negated else f"({sql})", parts)


def present(of: Choice) -> Filter:
    """The items whose choice has any value: as many as the choice has values."""
    variable = Variable()
    item = Item(of.of.type, False, of.of.shape, variable)
    inner = Choice(EMPTY, False, None, item, of.base, of.options)
    return Filter(of.of.type, True, of.of.shape, of.of, variable, some(inner))


def boolean(of: Typed, at: int, context: Context) -> Typed:
    """``of`` where a boolean is needed: a single item of another type counts as true (FHIRPath 4.5)."""
    if isinstance(of, Choice):
        return Template("boolean", False, None, "CASE WHEN {0} THEN true END", (some(of),))
    if kind(of.type) == "boolean":
        return single(of, at, context)
    if of.type == EMPTY:
        return Value("boolean", False, None, "NULL::BOOLEAN", "")
    present_ = Some("boolean", False, None, single(of, at, context), False)
    return Template("boolean", False, None, "CASE WHEN {0} THEN true END", (present_,))


def _member_of_choice(of: Choice, name: str, at: int, context: Context) -> Typed:
    """``value.unit``: the element of the only type of the choice that has it."""
    fits = [o for o in of.options if fhir_types.element(o.type, name)]
    if len(fits) == 1:
        return member(field(of.of, fits[0].name, fits[0].type, False), name, at, context)
    offered = ", ".join(o.type for o in (fits or of.options))
    what = "several types have" if fits else "no type has"
    raise context.error(at, f"{of.base}[x]: {what} an element {name!r}; pick one with ofType(), of: {offered}")


def _member_of_primitive(of: Typed, name: str, at: int, context: Context) -> Typed:
    """``birthDate.extension``: JSON keeps it beside the value, in ``_birthDate`` (FHIR R4 2.6.2.3)."""
    if name not in ("extension", "id"):
        raise context.error(at, f"{of.type} has no element {name!r}: it is a single value")
    if not isinstance(of, Field):
        raise context.error(at, f"{name!r} of a {of.type} can be read only right behind the name of the element")
    return member(field(of.of, f"_{of.key}", "Element", of.repeats), name, at, context)


def _no_element(type_name: str, name: str) -> str:
    """What is wrong with a name, the nearest one, and what the type offers."""
    bases = {e.base: None for e in fhir_types.elements(type_name).values() if e.base is not None}
    plain = [n for n, e in fhir_types.elements(type_name).items() if e.base is None]
    near = difflib.get_close_matches(name, [*plain, *bases, *fhir_types.elements(type_name)], 1)
    hint = f", did you mean {near[0]!r}?" if near else "."
    kinds = " Pick the type of the resource with ofType() first." if type_name == "Resource" else ""
    offered = ", ".join(sorted([*plain, *(f"{base}[x]" for base in bases)]))
    return f"{type_name} has no element {name!r}{hint} It has: {offered}.{kinds}"


def is_root(of: Typed) -> bool:
    """True for the resource itself, which is a row and no value."""
    return isinstance(of, Here) and of.type in fhir_types.resource_types()
