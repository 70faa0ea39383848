"""Which columns of a table are of one FHIR element: a sender who tells the element anew tells all of them."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from schemas import fhir_types
from schemas.table import Table

_FIRST = re.compile(r"extension\('[^']*'\)|meta\.\w+|\w+")


@functools.cache
def columns_by_element(table: Table) -> Mapping[str, tuple[str, ...]]:
    """The columns after the identity, by the element that they are read from, in the order of the table.

    The names are those of R4 (`name`, `identifier`); a choice is one element (`value` for every `value[x]`), so is each
    extension (`extension('http://...')`) and each part of `meta` (`meta.tag`).
    """
    found: dict[str, list[str]] = {}
    for element in table.elements:
        name = element_of(table.resource_type, element.path)
        columns = found.setdefault(name, [])
        columns += [c.name for c in element.columns if c.name not in columns]
    return {name: tuple(columns) for name, columns in found.items() if columns}


def element_of(resource_type: str, path: str) -> str:
    """The element of a resource that a FHIRPath begins with; ``value`` for `valueQuantity`."""
    first = _FIRST.match(path)
    if first is None:
        return path
    known = fhir_types.element(resource_type, first[0])
    return first[0] if known is None or known.base is None else known.base
