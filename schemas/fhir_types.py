"""The types of FHIR R4 (4.0.1): what elements each has, how many, of which type.

The snapshot ``fhir_r4.json`` beside this file is made by ``tools/fhir_types.py`` from the specification's
own JSON schema (HL7, CC0). It is read on first use and types are decoded one by one, so that start-up pays
only for what it uses.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import msgspec

from schemas.errors import UsageError

JsonType = Literal["string", "number", "integer", "boolean"]

_JSON_TYPES: Mapping[str, JsonType] = MappingProxyType(
    {
        "boolean": "boolean",
        "decimal": "number",
        "integer": "integer",
        "positiveInt": "integer",
        "unsignedInt": "integer",
    }
)


class UnknownTypeError(UsageError):
    """FHIR R4 has no type of that name."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a type, as it stands in JSON (FHIR R4 2.6.2)."""

    name: str  # the JSON property: "name", "valueQuantity"
    type: str  # the FHIR type: "HumanName", "code", "Observation.component"; "Resource" for any resource
    many: bool
    base: str | None  # "value" for valueQuantity; None when the element is no choice
    required: bool  # min = 1; for a choice False: no single one of its elements is required
    targets: tuple[str, ...]  # what a Reference may point at; () for anything or not known
    codes: tuple[str, ...]  # the codes of a required binding; () for none


class _Row(msgspec.Struct, array_like=True):
    type: str
    flags: str = ""
    targets: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()


_ROWS = msgspec.json.Decoder(dict[str, _Row])


class _Snapshot(msgspec.Struct):
    resources: frozenset[str]
    primitives: frozenset[str]
    types: dict[str, msgspec.Raw]


def elements(type_name: str) -> Mapping[str, Element]:
    """The elements of a type by JSON name, in the specification's order; no ``resourceType``, no shadows.

    Primitive types have the elements of every FHIR element: ``id`` and ``extension``.
    Raises UnknownTypeError for a name that FHIR R4 does not have.
    """
    return _decoded(type_name)[0]


def element(type_name: str, name: str) -> Element | None:
    """The element ``name`` (JSON name) of a type, None if the type has no such element."""
    return elements(type_name).get(name)


def choices(type_name: str, base: str) -> tuple[Element, ...]:
    """The elements of the choice ``base``[x] of a type (``value``: valueQuantity, ...), else ()."""
    return _decoded(type_name)[1].get(base, ())


def is_primitive(type_name: str) -> bool:
    """True for FHIR's primitive types, which are single JSON values; ``xhtml`` is one."""
    return type_name in _snapshot().primitives


def is_type(type_name: str) -> bool:
    """True when FHIR R4 has a type of that name, primitive or not (backbones by path: ``Claim.item``)."""
    snapshot = _snapshot()
    return type_name in snapshot.types or type_name in snapshot.primitives


def resource_types() -> frozenset[str]:
    """The 146 resource types of FHIR R4."""
    return _snapshot().resources


def primitive_types() -> frozenset[str]:
    """The primitive types of FHIR R4, ``xhtml`` among them."""
    return _snapshot().primitives


UNTOLD = "(not FHIR)"  # what stands for a name that a sender made up


def told(name: object) -> str:
    """A key of a resource as messages and reports may name it: one that FHIR R4 has anywhere, or an index.

    Any other may be a patient's name that a sender uses as a key, so ``UNTOLD`` stands for it.
    """
    text = str(name)
    known = text.removeprefix("_") in _element_names() or text.isdigit() or text == "resourceType"
    return text if known else UNTOLD


@cache
def _element_names() -> frozenset[str]:
    """The JSON names of all elements of all types."""
    return frozenset(name for rows in _all_rows() for name in rows)


@cache
def decimal_names() -> frozenset[str]:
    """The JSON names of all elements, of whatever type, that are decimals."""
    every = (pair for rows in _all_rows() for pair in rows.items())
    return frozenset(name for name, row in every if _JSON_TYPES.get(row.type) == "number")


def _all_rows() -> Iterator[dict[str, _Row]]:
    """The elements of every type as they stand in the file: to make elements of all takes longer than to look at
    them.
    """
    return (_ROWS.decode(raw) for raw in _snapshot().types.values())


def json_type(primitive: str) -> JsonType:
    """The JSON type of a primitive (FHIR R4 2.6.2.3): "number" for decimal; dates are "string"."""
    if not is_primitive(primitive):
        raise UnknownTypeError(f"{primitive} is not a primitive type of FHIR R4")
    return _JSON_TYPES.get(primitive, "string")


@cache
def _snapshot() -> _Snapshot:
    return msgspec.json.decode(Path(__file__).with_name("fhir_r4.json").read_bytes(), type=_Snapshot)


@cache
def _decoded(type_name: str) -> tuple[Mapping[str, Element], Mapping[str, tuple[Element, ...]]]:
    """The elements of a type by name, and its choices by base."""
    snapshot = _snapshot()
    raw = snapshot.types.get("Element" if type_name in snapshot.primitives else type_name)
    if raw is None:
        near = difflib.get_close_matches(type_name, [*snapshot.types, *snapshot.primitives], 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise UnknownTypeError(f"FHIR R4 has no type {type_name!r}{hint}")
    found = {name: _element(name, row) for name, row in _ROWS.decode(raw).items()}
    by_base: dict[str, list[Element]] = {}
    for item in found.values():
        if item.base is not None:
            by_base.setdefault(item.base, []).append(item)
    return MappingProxyType(found), MappingProxyType({base: tuple(items) for base, items in by_base.items()})


def _element(name: str, row: _Row) -> Element:
    return Element(
        name=name,
        type=row.type,
        many="*" in row.flags,
        base=name[: -len(row.type)] if "?" in row.flags else None,
        required="!" in row.flags,
        targets=row.targets,
        codes=row.codes,
    )
