"""A built-in table as a SQL on FHIR v2 ViewDefinition, for any other runner.

Only FHIRPath of the standard is used: choices by ``ofType()``, ids by ``getReferenceKey()``, one item by ``first()``.
What the mart works out (UTC times, harmonised units, mapped codes, lists of items, what is kept as JSON) no path can
say, so it is not among the columns; times and code systems are there as sent.
"""

from __future__ import annotations

from collections.abc import Iterator

from schemas import fhir_types
from schemas.table import Column, Element, Kind, Mode, Read, Table

AS_SENT = "_as_sent"  # end of the name of a time's column
_AS_TEXT: dict[str, object] = {"tag": [{"name": "ansi/type", "value": "CHARACTER VARYING"}]}  # an instant has a type


def view_of_table(table: Table) -> dict[str, object]:
    """The ViewDefinition resource; one column for each column of the table that a path can say."""
    columns = [_column("id", "getResourceKey()", "Logical id of the resource.")]
    columns.append(_column("version_id", "meta.versionId", "`meta.versionId` as sent."))
    columns.append(_column(f"last_updated{AS_SENT}", "meta.lastUpdated", "`meta.lastUpdated` as sent.") | _AS_TEXT)
    for element in table.elements:
        columns += _columns(element, table.resource_type)
    return {
        "resourceType": "ViewDefinition",
        "name": table.name,
        "description": table.description,
        "status": "active",
        "resource": table.resource_type,
        "fhirVersion": ["4.0.1"],
        "select": [{"column": columns}],
    }


def _column(name: str, path: str, description: str, *, collection: bool = False) -> dict[str, object]:
    made: dict[str, object] = {"name": name, "path": path, "description": description}
    return made | {"collection": True} if collection else made


def _columns(element: Element, type_name: str) -> Iterator[dict[str, object]]:
    match element.kind:
        case Kind.TIME:
            read = element.reads[0]
            label = element.columns[0].description.split(":", 1)[0]
            made = _column(f"{element.name}{AS_SENT}", _first_of(read.paths, type_name), f"{label}, as sent.")
            yield made | (_AS_TEXT if element.time_type == "instant" else {})
        case Kind.REFERENCE:
            path = _standard(element.path, type_name)
            for column in element.columns:
                if (call := _reference_call(column, element)) is not None:
                    yield _column(column.name, f"{path}.{call}", column.description)
        case Kind.CODING:
            yield from _coding(element, type_name)
            yield from _plain(element, type_name)
        case Kind.PLAIN | Kind.CLOCK:
            yield from _plain(element, type_name)
        case Kind.ITEMS:
            return


def _plain(element: Element, type_name: str) -> Iterator[dict[str, object]]:
    """The columns that are read as they are."""
    described = {column.name: column for column in element.columns}
    for read in element.reads:
        column = described.get(read.name)
        if column is None:
            continue
        if read.mode is Mode.TYPE:
            yield _column(column.name, _sent_type(read, type_name), column.description)
        elif read.mode is Mode.VALUE:
            yield from _values(read, column, type_name)


def _values(read: Read, column: Column, type_name: str) -> Iterator[dict[str, object]]:
    """One column; of a number that may be a decimal or whole one each, so that the digits of the decimal last."""
    if read.dtype == "DOUBLE" and len(read.paths) > 1:
        whole = tuple(path for path in read.paths if _ends_whole(path, type_name))
        decimal = tuple(path for path in read.paths if path not in whole)
        if whole and decimal:
            yield _column(column.name, _first_of(decimal, type_name), column.description)
            name = column.name.removesuffix("_number") + "_integer"
            yield _column(name, _first_of(whole, type_name), column.description)
            return
    yield _column(
        column.name, _first_of(read.paths, type_name), column.description, collection=column.dtype.endswith("[]")
    )


def _sent_type(read: Read, type_name: str) -> str:
    """The name of the type of a choice that is there."""
    path = ""
    for one, label in reversed([*zip(read.paths, read.labels, strict=True)]):
        there = f"{_standard(one, type_name)}.exists()"
        path = f"iif({there}, '{label}'{f', {path}' if path else ''})"
    return path


def _coding(element: Element, type_name: str) -> Iterator[dict[str, object]]:
    """Code, system and display of the first coding of a preferred system, else of the first sent."""
    read = next(read for read in element.reads if read.mode is Mode.CODING)
    path = _standard(read.paths[0], type_name)
    codings = path if _type_of(read.paths[0], type_name) == "Coding" else f"{path}.coding"
    for column, part in zip(element.columns, ("code", "system", "display"), strict=False):
        said = f"{codings}.first().{part}"
        for system in reversed(read.prefer):
            preferred = f"{codings}.where(system = '{system}')"
            said = f"iif({preferred}.exists(), {preferred}.first().{part}, {said})"
        yield _column(column.name, said, column.description)


def _reference_call(column: Column, element: Element) -> str | None:
    if column.name == element.patient:
        return "getReferenceKey(Patient)"
    if column.name == element.encounter:
        return "getReferenceKey(Encounter)"
    if column.name.endswith("_display"):
        return "display"
    if column.name.endswith("_id"):
        return f"getReferenceKey({element.targets[0] if len(element.targets) == 1 else ''})"
    return None


def _first_of(paths: tuple[str, ...], type_name: str) -> str:
    """The first of the paths that is there, in one path."""
    *others, said = [_standard(path, type_name) for path in paths]
    for path in reversed(others):
        said = f"iif({path}.exists(), {path}, {said})"
    return said


def _standard(path: str, type_name: str) -> str:
    """A path over JSON names (``valueQuantity.value``) as FHIRPath; of several extensions the first."""
    return _walk(path, type_name)[0]


def _type_of(path: str, type_name: str) -> str:
    return _walk(path, type_name)[1]


def _ends_whole(path: str, type_name: str) -> bool:
    found = _type_of(path, type_name)
    return fhir_types.is_primitive(found) and fhir_types.json_type(found) == "integer"


def _walk(path: str, type_name: str) -> tuple[str, str]:
    """A path in the words of the standard and the type it leads to."""
    said: list[str] = []
    current = type_name
    for step in _steps(path):
        if step.startswith("extension("):
            said += [step, "first()"]
            current = "Extension"
        elif step.startswith("ofType("):
            said.append(step)
            current = step.removeprefix("ofType(").removesuffix(")")
        elif step.endswith(")"):
            said.append(step)
        else:
            element = fhir_types.element(current, step)
            if element is not None and element.base is not None:
                said += [element.base, f"ofType({element.type})"]
            else:
                said.append(step)
            current = element.type if element is not None else current
    return ".".join(said), current


def _steps(path: str) -> list[str]:
    """The parts of a path between the points that stand outside of parentheses."""
    steps, depth, start = [], 0, 0
    for at, letter in enumerate(path):
        depth += (letter == "(") - (letter == ")")
        if letter == "." and not depth:
            steps.append(path[start:at])
            start = at + 1
    return [*steps, path[start:]]
