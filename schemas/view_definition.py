"""SQL on FHIR v2 ViewDefinitions: read from JSON, checked, and held as frozen records.

Checked here is what the specification says of the document itself: its structure, names, constants, that
columns are unique and that the branches of a union have the same. Whether the paths fit the resource is
found when it is compiled (:mod:`transforms.views`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

import msgspec

from schemas import fhir_types
from schemas.errors import UsageError

Primitive: TypeAlias = str | float | bool

# The types a constant may have (ViewDefinition.constant.value[x]).
CONSTANT_TYPES = (
    "base64Binary", "boolean", "canonical", "code", "date", "dateTime", "decimal", "id", "instant", "integer",
    "integer64", "oid", "string", "positiveInt", "time", "unsignedInt", "uri", "url", "uuid",
)  # fmt: skip
_TYPE_PREFIX = "http://hl7.org/fhir/StructureDefinition/"
_SYSTEM_PREFIX = "http://hl7.org/fhirpath/System."
_SQL_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")  # the invariant sql-name
_PARTS = ("resource", "constant", "select", "where")


class ViewError(UsageError):
    """A ViewDefinition that does not follow the specification, or does not fit the resource it names."""


class Tag(msgspec.Struct, frozen=True):
    """A hint for the runner; ``ansi/type`` names the SQL type of a column."""

    name: str
    value: str


class ColumnDefinition(msgspec.Struct, frozen=True, rename={"type_name": "type"}):
    """One column: a FHIRPath and the name of its result."""

    name: str
    path: str
    type_name: str | None = None
    collection: bool = False
    description: str | None = None
    tag: tuple[Tag, ...] = ()
    tags: tuple[Tag, ...] = ()  # as the specification's own example spells it

    @property
    def fhir_type(self) -> str | None:
        """The declared FHIR type without its URI prefix, None when none is declared."""
        if self.type_name is None:
            return None
        if self.type_name.startswith(_SYSTEM_PREFIX):
            name = self.type_name[len(_SYSTEM_PREFIX) :]
            return name[:1].lower() + name[1:]
        name = self.type_name.removeprefix(_TYPE_PREFIX)
        return "integer" if name == "integer64" else name

    @property
    def sql_type(self) -> str | None:
        """The SQL type that the tag ``ansi/type`` asks for."""
        return next((tag.value for tag in (*self.tag, *self.tags) if tag.name == "ansi/type"), None)


class Select(msgspec.Struct, frozen=True, rename="camel"):
    """A selection: columns, nested selections and a union, for the node itself or for each of some nodes below it."""

    column: tuple[ColumnDefinition, ...] = ()
    select: tuple[Select, ...] = ()
    union_all: tuple[Select, ...] = ()
    for_each: str | None = None
    for_each_or_null: str | None = None
    repeat: tuple[str, ...] = ()


class Where(msgspec.Struct, frozen=True):
    """A condition on the resource."""

    path: str
    description: str | None = None


class ConstantDefinition(msgspec.Struct, frozen=True):
    """``%name``: a value of a primitive FHIR type."""

    name: str
    type_name: str
    value: Primitive


class ViewDefinition(msgspec.Struct, frozen=True):
    """A tabular projection of one resource type."""

    resource: str
    select: tuple[Select, ...]
    name: str | None = None
    title: str | None = None
    description: str | None = None
    constant: tuple[ConstantDefinition, ...] = ()
    where: tuple[Where, ...] = ()

    def column_names(self) -> list[str]:
        """The names of the columns in the order of the result; a union's columns once."""
        return [name for select in self.select for name in _column_names(select)]


def parse_view(data: bytes | str | Mapping[str, object]) -> ViewDefinition:
    """The ViewDefinition of a JSON document or of its decoded object. Raises ViewError for what is wrong with it."""
    document = _decoded(data) if isinstance(data, (bytes, str)) else dict(data)
    _check_keys(document)
    constants = document.get("constant", [])
    if not isinstance(constants, list):
        raise ViewError("constant: a list of constants is expected")
    document["constant"] = [_constant(item, f"constant[{i}]") for i, item in enumerate(constants)]
    try:
        view = msgspec.convert(document, ViewDefinition)
    except msgspec.ValidationError as error:
        raise ViewError(f"this is no ViewDefinition: {error}") from None
    _check(view)
    return view


def _decoded(data: bytes | str) -> dict[str, object]:
    try:
        document = msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise ViewError(f"a ViewDefinition is JSON, and this is not: {error}") from None
    if not isinstance(document, dict):
        raise ViewError("a ViewDefinition is a JSON object")
    return document


def _check_keys(document: Mapping[str, object]) -> None:
    """Misspelled parts would be left out without a word; other elements of the resource are of no concern."""
    kind = document.get("resourceType", "ViewDefinition")
    if kind != "ViewDefinition":
        raise ViewError(f"a ViewDefinition is expected, this is a {kind}")
    for key in document:
        near = difflib.get_close_matches(key, _PARTS, 1, 0.75)
        if near and key not in (*_PARTS, "resourceType", "resourceVersion"):
            raise ViewError(f"unknown element {key!r}, did you mean {near[0]!r}?")
    _check_selects(document, "")


_SELECT_KEYS = ("column", "select", "unionAll", "forEach", "forEachOrNull", "repeat")
_COLUMN_KEYS = ("path", "name", "type", "collection", "description", "tag", "tags")
_COMMON_KEYS = ("id", "extension", "modifierExtension", "fhir_comments")


def _check_selects(holder: Mapping[str, object], where: str) -> None:
    for part in ("select", "unionAll"):
        items = holder.get(part)
        for i, select in enumerate(items if isinstance(items, list) else ()):
            if not isinstance(select, dict):
                continue  # the structure is checked by msgspec, which says what it found
            here = f"{where}{part}[{i}]"
            _only(select, _SELECT_KEYS, here)
            columns = select.get("column")
            for j, column in enumerate(columns if isinstance(columns, list) else ()):
                if isinstance(column, dict):
                    _only(column, _COLUMN_KEYS, f"{here}.column[{j}]")
            _check_selects(select, f"{here}.")


def _only(item: Mapping[str, object], known: tuple[str, ...], where: str) -> None:
    for key in item:
        if key not in known and key not in _COMMON_KEYS and not key.startswith("_"):
            near = difflib.get_close_matches(key, known, 1)
            hint = f", did you mean {near[0]!r}?" if near else f"; there are: {', '.join(known)}"
            raise ViewError(f"{where}: unknown element {key!r}{hint}")


def _constant(item: object, where: str) -> ConstantDefinition:
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        raise ViewError(f"{where}: a constant needs a name")
    name = item["name"]
    values = [key for key in item if key.startswith("value")]
    known = {f"value{kind[0].upper()}{kind[1:]}": kind for kind in CONSTANT_TYPES}
    if len(values) != 1 or values[0] not in known:
        found = ", ".join(values) or "none"
        raise ViewError(f"{where} {name!r}: exactly one value is needed (valueString, ...), found: {found}")
    kind, value = known[values[0]], item[values[0]]
    if kind == "integer64":
        value = int(value) if isinstance(value, str) and re.fullmatch(r"-?\d+", value) else value
        kind = "integer"
    if not isinstance(value, (str, int, float, bool)) or not _fits(kind, value):
        raise ViewError(f"{where} {name!r}: {values[0]} is a JSON {fhir_types.json_type(kind)}")
    return ConstantDefinition(name, kind, value)


def _fits(kind: str, value: Primitive) -> bool:
    match fhir_types.json_type(kind):
        case "boolean":
            return isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case _:
            return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check(view: ViewDefinition) -> None:
    if view.resource not in fhir_types.resource_types():
        raise ViewError(f"resource: FHIR R4 has no resource type {view.resource!r}")
    if not view.select:
        raise ViewError("select: at least one selection is needed")
    names = [view.name] if view.name is not None else []
    for what, name in (
        *(("name", name) for name in names),
        *(("constant", constant.name) for constant in view.constant),
        *(("column", name) for name in _all_column_names(view.select)),
    ):
        if not _SQL_NAME.fullmatch(name):
            raise ViewError(f"{what} {name!r}: a name is made of letters, digits and _ and begins with a letter")
    _unique("constant", [constant.name for constant in view.constant])
    for i, select in enumerate(view.select):
        _check_select(select, f"select[{i}]")
    columns = view.column_names()
    if not columns:
        raise ViewError("select: there is no column")
    _unique("column", columns)


def _check_select(select: Select, where: str) -> None:
    iterations = (select.for_each, select.for_each_or_null, select.repeat or None)
    if sum(part is not None for part in iterations) > 1:
        raise ViewError(f"{where}: only one of forEach, forEachOrNull and repeat may be given")
    for i, nested in enumerate(select.select):
        _check_select(nested, f"{where}.select[{i}]")
    for i, branch in enumerate(select.union_all):
        _check_select(branch, f"{where}.unionAll[{i}]")
        first, own = _column_names(select.union_all[0]), _column_names(branch)
        if first != own:
            raise ViewError(
                f"{where}.unionAll[{i}]: its columns are {', '.join(own) or 'none'},"
                f" those of the first branch {', '.join(first) or 'none'}: same names, same order"
            )


def _column_names(select: Select) -> list[str]:
    """Own columns first, then those of nested selections, then the union's."""
    names = [column.name for column in select.column]
    for nested in select.select:
        names += _column_names(nested)
    if select.union_all:
        names += _column_names(select.union_all[0])
    return names


def _all_column_names(selects: tuple[Select, ...]) -> Iterator[str]:
    for select in selects:
        yield from (column.name for column in select.column)
        yield from _all_column_names(select.select)
        yield from _all_column_names(select.union_all)


def _unique(what: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ViewError(f"{what} {name!r}: the name is given twice")
